"""A model in the place of a rater: a made-up server, and tiny random models saved as real ones are."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
from typer.testing import CliRunner

from showcase_utils import cli
from showcase_utils.claims import judge, judges
from showcase_utils.claims.human import preferences, read_answers, write_sheet
from showcase_utils.claims.judge import judge_sheet
from showcase_utils.claims.judges import EndpointJudge, LocalJudge, Question, first_choice
from showcase_utils.claims.raters import agreement_of_judges, agreement_with_truth, rating_tables
from showcase_utils.data import frames
from tests.claims.test_human import answer, photos, texts
from tests.generation.vlms import save_llava

__all__ = ["photos", "texts"]


class Server(BaseHTTPRequestHandler):
    """Likes tacos: 5 points, or the text that names them; every first call finds it busy."""

    asked: list[dict] = []
    said = staticmethod(lambda words: "Rating: 5" if "tacos" in words else "I'd say 2.")
    busy = 0

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Server.busy:
            Server.busy -= 1
            self.send_response(503)
            self.end_headers()
            return
        Server.asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        words = body["messages"][0]["content"][0]["text"]
        reply = {"choices": [{"message": {"content": Server.said(words)}}], "usage": {"total_tokens": 100}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def address(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(Server, "asked", [])
    monkeypatch.setattr(judges, "WAIT", 0.001)
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def judged(tmp_path, texts, photos):
    """The answers of a judge to a sheet, read back as people's are."""

    def call(judge, design="likert", samples=4):
        key = tmp_path / f"{design}.key.json"
        if not key.is_file():
            write_sheet(tmp_path / f"{design}.html", texts, photos, samples=samples, seed=0, design=design)
        out = tmp_path / f"{design}.{judge.name}.json"
        cost = judge_sheet(key, out, texts, photos, judge, tmp_path / "kept", progress=False)
        return key, out, cost

    return call


def test_a_judge_answers_what_people_are_asked_and_is_read_as_they_are(judged, address, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    key, out, cost = judged(EndpointJudge(address, "m"))
    table = preferences(read_answers(key, [out]), rounds=20).set_index(["question", "system"])
    assert table.loc[("alignment", "secret_one"), "value"] == 5 and table.loc[("alignment", "secret_two"), "value"] == 2
    assert (cost.asked, cost.from_cache, cost.unanswered, cost.unseen, cost.tokens) == (16, 0, 0, 0, 1600)
    asked = Server.asked[0]
    assert asked["path"] == "/v1/chat/completions" and asked["model"] == "m" and asked["temperature"] == 0
    assert asked["key"] == "Bearer secret" and "secret" not in out.read_text().replace(cost.model, "")
    kinds = [part["type"] for part in asked["messages"][0]["content"]]
    assert kinds == ["text", "image_url", "image_url"]
    assert not any(
        name in json.dumps(call["messages"]) for call in Server.asked for name in ("secret_one", "secret_two")
    )


def test_what_was_asked_is_not_asked_again_and_keeps_its_cost(judged, address):
    _, out, first = judged(EndpointJudge(address, "m"))
    before = out.read_text()
    _, _, again = judged(EndpointJudge(address, "m"))
    assert len(Server.asked) == 16 and again.from_cache == 16
    assert (again.tokens, again.seconds) == (first.tokens, first.seconds)
    assert json.loads(before)["answers"] == json.loads(out.read_text())["answers"]
    judged(EndpointJudge(address, "another"))
    assert len(Server.asked) == 32


def test_pairs_keep_the_order_of_the_sheet(judged, address, monkeypatch):
    monkeypatch.setattr(Server, "said", lambda words: "A" if words.index("tacos") < words.index("rooms") else "B.")
    key, out, _ = judged(EndpointJudge(address, "m"), "pairwise", samples=6)
    answers = read_answers(key, [out])
    assert (answers["system"] == "secret_one").all() and (answers["value"] == 1).all()
    assert set(json.loads(out.read_text())["answers"].values()) == {"A", "B"}


def test_an_answer_that_names_no_choice_stays_open(judged, address, monkeypatch):
    monkeypatch.setattr(Server, "said", lambda words: "As a model I cannot rate 45 texts.")
    _, out, cost = judged(EndpointJudge(address, "m"))
    assert cost.unanswered == cost.asked == 16 and json.loads(out.read_text())["answers"] == {}
    assert first_choice("**Same**: neither A", ("A", "same", "B")) == "same"


def test_a_busy_server_is_asked_again_and_a_refusal_is_an_error(address, monkeypatch):
    monkeypatch.setattr(Server, "busy", 2)
    question = Question("the tacos", (), ("1", "2", "3", "4", "5"))
    assert EndpointJudge(address, "m").ask(question).value == "5"
    monkeypatch.setattr(Server, "busy", 9)
    with pytest.raises(httpx.HTTPStatusError):
        EndpointJudge(address, "m").ask(question)
    monkeypatch.setattr(Server, "busy", 0)


def test_what_is_no_endpoint_is_a_sentence(address, monkeypatch):
    with pytest.raises(ValueError, match="endpoint 'localhost:8000/v1': give the whole address"):
        EndpointJudge("localhost:8000/v1", "m")
    monkeypatch.setattr(EndpointJudge, "_post", lambda self, body: {"error": "no such model"})
    with pytest.raises(ValueError, match="its reply is none of chat completions: .*no such model"):
        EndpointJudge(address, "m").ask(Question("the tacos", (), ("1", "2")))


def test_the_command_says_what_came_of_the_model(tmp_path, monkeypatch):
    def refuse(*_):
        raise httpx.ConnectError("Connection refused")

    store = SimpleNamespace(path=lambda stage: tmp_path, folder=tmp_path, settings=SimpleNamespace(device="cpu"))
    monkeypatch.setattr(cli, "Artifacts", lambda *_: store)
    monkeypatch.setattr(frames, "load_reviews", lambda path: pd.DataFrame({"image_ids": [["a"]]}))
    monkeypatch.setattr(frames, "load_images", lambda *_: pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"]}))
    monkeypatch.setattr(judge, "judge_sheet", refuse)
    for more, words in (
        (
            ["--model", "m", "--endpoint", "http://127.0.0.1:1/v1"],
            "--endpoint http://127.0.0.1:1/v1: Connection refused",
        ),
        (["--model", str(tmp_path / "none")], "there is no such folder"),
    ):
        result = CliRunner().invoke(cli.app, ["judge", str(tmp_path / "x.key.json"), *more])
        assert result.exit_code == 1 and words in " ".join(result.stderr.split()), result.output


def test_texts_that_are_not_the_sheets_are_refused(judged, address, texts, photos, tmp_path):
    key, _, _ = judged(EndpointJudge(address, "m"))
    changed = texts.assign(text=texts["text"] + "!")
    with pytest.raises(ValueError, match="not those of the sheet"):
        judge_sheet(key, tmp_path / "x.json", changed, photos, EndpointJudge(address, "m"), tmp_path / "kept")


def test_a_local_model_chooses_by_its_own_probabilities_and_is_not_asked_of_photos(judged, tiny_gpt2, tmp_path):
    folder = tmp_path / "reader"
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(folder)
    torch.manual_seed(1)
    GPT2LMHeadModel(GPT2Config(vocab_size=400, n_positions=512, n_embd=8, n_layer=1, n_head=1)).save_pretrained(folder)
    key, out, cost = judged(LocalJudge(str(folder), "cpu"))
    assert (cost.asked, cost.unseen, cost.unanswered) == (8, 8, 0) and cost.tokens > 8 * 20
    answers = read_answers(key, [out])
    assert set(answers["question"]) == {"expressiveness"} and answers["value"].between(1, 5).all()
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        logits = model(**tokenizer("how good is it?", return_tensors="pt")).logits[0, -1]
    ids = [tokenizer.encode(choice)[-1] for choice in "12345"]
    expected = "12345"[int(logits[ids].argmax())] if all(len(tokenizer.encode(c)) == 1 for c in "12345") else None
    found = LocalJudge(str(folder), "cpu").ask(Question("how good is it?", (), tuple("12345")))
    assert expected in (None, found.value)


def test_judges_are_held_to_people_and_to_the_truth(tmp_path, texts, photos):
    key = write_sheet(tmp_path / "sheet.html", texts, photos, samples=6, seed=0)
    points = {"secret_one": "5", "secret_two": "2"}
    files = [answer(tmp_path, key, "ann", lambda systems, _: points[systems[0]])]
    files.append(answer(tmp_path, key, "bob", lambda systems, _: points[systems[0]]))
    files.append(answer(tmp_path, key, "judge:m", lambda systems, _: str(7 - int(points[systems[0]]))))
    answers = read_answers(key, files)
    table = agreement_of_judges(answers, rounds=20)
    assert table[["rater", "other"]].drop_duplicates().to_numpy().tolist() == [["ann", "judge:m"], ["bob", "judge:m"]]
    assert (table["alpha"] < 0).all()
    assert agreement_of_judges(answers[answers["rater"] == "ann"]).empty
    truth = texts[["system", "seed", "review_id"]].assign(
        **{"True alignment": np.where(texts["system"] == "secret_one", 1.0, 0.0)}
    )
    held = agreement_with_truth(answers, truth, rounds=20).set_index("rater")
    assert held.loc["ann", "rho"] == pytest.approx(1) and held.loc["judge:m", "rho"] == pytest.approx(-1)
    assert agreement_with_truth(answers, pd.DataFrame({"seed": [0]})).empty
    tables = dict(rating_tables(answers, truth, rounds=20))
    assert {"agreement with models", "ratings of alignment against the true alignment"} < set(tables)
    assert tables["what people prefer"]["judgements"].eq(12).all()
    assert tables["what judge:m prefers"]["judgements"].eq(6).all()
    assert tables["agreement of people"]["alpha"].eq(1).all()


def test_a_model_that_sees_is_asked_of_photos_too(judged, tiny_gpt2, tmp_path, photos):
    judge = LocalJudge(str(save_llava(tmp_path / "llava", tiny_gpt2)), "cpu")
    key, out, cost = judged(judge, "pairwise", samples=2)
    assert (cost.asked, cost.unseen, cost.unanswered) == (4, 0, 0)
    assert read_answers(key, [out])["question"].value_counts().to_dict() == {"alignment": 2, "expressiveness": 2}
    picture = photos["p1"].read_bytes()
    one, two = (judge.ask(Question("the tacos", (picture,) * n, ("A", "same", "B"))) for n in (1, 2))
    assert two.tokens > one.tokens  # a photo has places of its own
