import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from showcase_utils.artifacts import MANIFEST, NEUTRAL, STAGES, TIMING, Artifacts, StaleStage
from showcase_utils.config import load_settings


def store(tmp_path, *overrides):
    return Artifacts(load_settings("smoke", ["device=cpu", *overrides]), tmp_path)


def write(out, text="x"):
    (out / "file.txt").write_text(text)


def make_up_to(artifacts, last, text="x"):
    for name in artifacts.stages():
        artifacts.make(name, write, f"{text}-{name}")
        if name == last:
            return


def test_inputs_stand_before_what_reads_them():
    names = list(STAGES)
    for stage in STAGES.values():
        assert all(names.index(name) < names.index(stage.name) for name in stage.inputs)
        assert all(STAGES[name].notebook <= stage.notebook for name in stage.inputs)


def test_a_stage_is_made_once(tmp_path):
    calls = []

    def build(out):
        calls.append(1)
        write(out)

    for _ in range(2):
        path = store(tmp_path).make("world", build)
    assert len(calls) == 1
    assert (path / "file.txt").read_text() == "x"
    manifest = json.loads((path / MANIFEST).read_text())
    assert manifest["files"]["file.txt"]["bytes"] == 1
    assert {"recipe", "seconds", "device", "versions", "contents"} <= manifest.keys()


def test_missing_input_names_the_notebook(tmp_path):
    with pytest.raises(StaleStage, match="01_data_filtering"):
        store(tmp_path).make("features", write)
    with pytest.raises(StaleStage, match="missing.*showcase run --profile smoke --from 01 --to 01"):
        store(tmp_path).path("world")


def test_a_changed_setting_makes_only_what_depends_on_it_stale(tmp_path):
    make_up_to(store(tmp_path), "selection")
    changed = store(tmp_path, "encoding.dtype=float32")
    states = {name: changed.status(name).state for name in changed.stages()}
    assert states["world"] == states["data"] == "fresh"
    assert states["features"] == states["selection"] == "stale"
    assert changed.status("features").why == "encoding.dtype was 'float16', is 'float32'"
    assert changed.status("selection").why == "its input 'features' is stale"
    with pytest.raises(StaleStage, match="encoding.dtype was 'float16'"):
        changed.path("features")


def test_workers_do_not_change_what_comes_out(tmp_path):
    make_up_to(store(tmp_path), "features")
    assert store(tmp_path, "encoding.workers=5").status("features").state == "fresh"


OTHER = {
    "encoding.compile": "true",
    "selection.kernel_lr": "0.5",
    "generation.accumulation": "2",
    "generation.compile": "true",
    "generation.lrs": "{st: 1}",
}


@pytest.mark.parametrize(("key", "neutral"), NEUTRAL.items())
def test_a_setting_that_came_later_is_in_the_recipe_only_where_it_matters(tmp_path, key, neutral):
    section, name = key.split(".")
    stage = {"encoding": "features"}.get(section, section)
    before = store(tmp_path, f"{key}={json.dumps(neutral)}")
    make_up_to(before, stage)
    assert name not in json.loads((before.path(stage) / MANIFEST).read_text())["recipe"]["settings"][section]
    assert f"{key} was None, is" in store(tmp_path, f"{key}={OTHER[key]}").status(stage).why


def test_equal_contents_leave_what_follows_fresh(tmp_path):
    artifacts = store(tmp_path)
    make_up_to(artifacts, "features")
    artifacts.forget("data")
    assert artifacts.status("features").state == "stale"
    artifacts.make("data", write, "x-data")
    assert artifacts.status("features").state == "fresh"
    artifacts.forget("data")
    artifacts.make("data", write, "other")
    assert artifacts.status("features").why == "'data' was made anew"


def test_seconds_do_not_count_as_contents(tmp_path):
    def build(out, seconds):
        write(out)
        (out / TIMING).write_text(seconds)

    artifacts = store(tmp_path)
    artifacts.make("world", build, "1")
    before = artifacts.contents("world")
    artifacts.forget("world")
    artifacts.make("world", build, "2")
    assert artifacts.contents("world") == before


def test_a_failed_build_shows_nothing_and_keeps_its_work(tmp_path):
    def fail(out):
        (out / "half.txt").write_text("half")
        raise RuntimeError("no")

    artifacts = store(tmp_path)
    with pytest.raises(RuntimeError, match="no"):
        artifacts.make("world", fail)
    assert artifacts.status("world").state == "unfinished"
    seen = []
    artifacts.make("world", lambda out: (seen.append((out / "half.txt").read_text()), write(out)))
    assert seen == ["half"]


def test_work_of_another_recipe_is_thrown_away(tmp_path):
    def fail(out):
        (out / "half.txt").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store(tmp_path).make("world", fail)
    path = store(tmp_path, "world.seed=9").make("world", write)
    assert not (path / "half.txt").exists()
    assert not list((tmp_path / "smoke" / ".unfinished").iterdir())


def test_kill_nine_in_the_middle_resumes(tmp_path):
    program = textwrap.dedent(
        f"""
        import os, signal
        from showcase_utils.artifacts import Artifacts
        from showcase_utils.config import load_settings
        def build(out):
            (out / "first.txt").write_text("1")
            os.kill(os.getpid(), signal.SIGKILL)
        Artifacts(load_settings("smoke", ["device=cpu"]), {str(tmp_path)!r}).make("world", build)
        """
    )
    code = subprocess.run([sys.executable, "-c", program], env={**os.environ}).returncode
    assert code == -signal.SIGKILL
    artifacts = store(tmp_path)
    assert artifacts.status("world").state == "unfinished"

    def go_on(out):
        assert (out / "first.txt").exists()
        write(out)

    artifacts.make("world", go_on)
    assert artifacts.status("world").state == "fresh"


def test_killed_before_the_change_of_name(tmp_path):
    artifacts = store(tmp_path)
    path = artifacts.make("world", write)
    work = tmp_path / "smoke" / ".unfinished" / f"world-{artifacts.fingerprint('world')[:16]}"
    path.rename(work)

    def never(out):
        raise AssertionError("it was whole already")

    assert artifacts.make("world", never) == path
    assert (path / "file.txt").exists()


def test_two_at_once_do_the_work_once(tmp_path):
    calls, gate = [], threading.Event()

    def slow(out):
        calls.append(1)
        gate.wait(5)
        write(out)

    threads = [threading.Thread(target=store(tmp_path).make, args=("world", slow)) for _ in range(2)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_data_files_replace_the_demo_world(tmp_path):
    reviews = tmp_path / "reviews.json"
    reviews.write_text("{}")
    options = ["data.source=files", f"data.reviews={reviews}"]
    artifacts = store(tmp_path, *options)
    assert "world" not in artifacts.stages()
    artifacts.make("data", write)
    assert store(tmp_path, *options).status("data").state == "fresh"
    reviews.write_text("{}\n{}")
    assert store(tmp_path, *options).status("data").why == "the file of data.reviews changed"


def test_unknown_stage(tmp_path):
    with pytest.raises(KeyError, match="the stages are world, data"):
        store(tmp_path).path("dta")


def test_root_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWCASE_ARTIFACTS", str(tmp_path))
    assert Artifacts(load_settings("smoke")).folder == tmp_path / "smoke"


def test_models_by_name_add_nothing_to_a_recipe(tmp_path):
    artifacts = store(tmp_path)
    make_up_to(artifacts, "evaluation")
    assert artifacts.recipe("features")["outside"] == artifacts.recipe("generation")["outside"] == {}
    assert artifacts.recipe("alignment")["outside"] == {"data.annotations": [], "alignment.pretrained": []}
    named = store(tmp_path, "encoding.model=ViT-B-32", "encoding.pretrained=openai")
    assert named.recipe("features")["outside"] == {}


@pytest.mark.parametrize(
    ("stage", "key", "prefix"),
    [
        ("features", "encoding.model", "local-dir:"),
        ("alignment", "alignment.pretrained", ""),
        ("generation", "generation.decoder", ""),
        ("generation", "generation.spacy_model", ""),
        ("evaluation", "evaluation.bertscore_model", ""),
    ],
)
def test_weights_that_change_in_their_folder_make_the_stage_stale(tmp_path, stage, key, prefix):
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    weights = folder / "parts" / "model.safetensors"
    weights.write_bytes(b"one")
    artifacts = store(tmp_path, f"{key}={prefix}{folder}")
    make_up_to(artifacts, stage)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "downloaded").write_bytes(b"")
    assert artifacts.status(stage).state == "fresh"
    before = weights.stat()
    weights.write_bytes(b"another")  # in place: the folders know nothing of it
    assert artifacts.status(stage).why == f"the file of {key} changed"
    weights.write_bytes(b"one")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert artifacts.status(stage).state == "fresh"
    weights.unlink()
    assert f"the file of {key} changed" in artifacts.status(stage).why


def test_a_file_of_weights_that_changes_makes_features_stale(tmp_path):
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"one")
    artifacts = store(tmp_path, "encoding.model=ViT-B-32", f"encoding.pretrained={weights}")
    make_up_to(artifacts, "features")
    assert artifacts.status("features").state == "fresh"
    weights.write_bytes(b"other")
    assert artifacts.status("features").why == "the file of encoding.pretrained changed"


def test_a_folder_of_photos_is_told_apart_by_its_index(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "index.parquet").write_bytes(b"one")
    settings = load_settings("gest", [f"data.images={photos}", "device=cpu"])

    def recipe():
        return Artifacts(settings, tmp_path / "artifacts").recipe("data")

    before = recipe()
    (photos / ".unfinished").mkdir()  # as when somebody looks into the store
    assert recipe() == before
    (photos / "index.parquet").write_bytes(b"another")
    assert recipe() != before
