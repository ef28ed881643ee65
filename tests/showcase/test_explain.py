"""Showcases for users and places of a run, and for anybody's photos and texts."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from showcase_utils.artifacts import StaleStage
from showcase_utils.selection.showing import Showing, Shown
from showcase_utils.showcase import Place, Profile, Showcases
from showcase_utils.showcase.choice import candidates
from showcase_utils.showcase.library import ALIKE, Library
from showcase_utils.showcase.material import COPY, Item, Somebody, Somewhere
from showcase_utils.showcase.options import Options
from tests.showcase.conftest import BUSINESSES, USERS, ClipByName, paint


class _Rows:
    """In a feature store's place."""

    def __init__(self, ids, rows):
        self.ids, self._rows = ids, dict(zip(ids, rows, strict=False))

    def __getitem__(self, ids):
        return np.stack([self._rows[name] for name in ids])


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        paint(tmp_path / f"photo{number}.png", (40 * number, 10, 90))
    return tmp_path


def test_a_showcase_has_photos_of_the_place_a_text_and_reasons(showcases):
    show = showcases.explain("user0", "place1", k=2)
    assert len(show.image_ids) == len(show.photos) == len(show.reasons) == len(show.captions) == 2
    assert all("_place1-" in image_id for image_id in show.image_ids)
    assert [path.stem for path in show.photos] == list(show.image_ids)
    assert show.personal and show == showcases.explain("user0", "place1", k=2)


def test_a_user_is_known_by_other_places_only(showcases):
    for user in USERS:
        show = showcases.explain(user, "place1")
        assert not any("place1" in text for text in show.past_texts)
        assert all(f"{user}_" in path.stem and "place1" not in path.stem for path in show.past_photos)


def test_pulls_sum_to_the_relevance_and_shares_to_one(showcases):
    show = showcases.explain("user0", "place1", k=3)
    for reason in show.reasons:
        assert sum(item.pull for item in reason.past) == pytest.approx(reason.relevance, abs=1e-4)
        assert sum(item.share for item in reason.past) == pytest.approx(1.0) or all(i.pull <= 0 for i in reason.past)
        assert [item.pull for item in reason.past] == sorted((i.pull for i in reason.past), reverse=True)
    assert show.reasons[0].variety == 1.0 and show.reasons[1].variety < 1.0


def test_every_sentence_rests_on_a_photo_that_is_shown(showcases):
    for user in USERS:
        show = showcases.explain(user, "place2", k=3)
        assert all(0 <= reason.photo < len(show.photos) for reason in show.sentences)
        assert show.text == " ".join(reason.sentence for reason in show.sentences)
        assert math.isnan(show.scores["clip_align"]) == (not show.sentences)


@pytest.mark.slow
def test_many_are_those_made_one_by_one(showcases):
    pairs = [(user, business) for user in USERS for business in BUSINESSES]
    many = showcases.explain_many(pairs, k=2)
    assert [show.image_ids for show in many] == [showcases.explain(*pair, k=2).image_ids for pair in pairs]


def test_somebody_new_at_a_new_place(showcases, folder):
    mine = folder / "mine"
    mine.mkdir()
    me = Profile(texts=["Great ramen.", "  "], photos=[str(paint(mine / "a.jpg", (9, 9, 9)))], name="Ada")
    place = Place([folder / f"photo{n}.png" for n in range(6)], name="The Copper Fork")
    show = showcases.explain(me, place, k=3)
    assert (show.user, show.place, show.past_texts) == ("Ada", "The Copper Fork", ("Great ramen.",))
    assert len(set(show.image_ids)) == 3 and all(path.parent == folder for path in show.photos)
    assert {item.kind for item in show.reasons[0].past} == {"photo", "review"}
    assert showcases.explain(me, "place1").business_id == "place1"
    assert showcases.explain("user1", place).past_texts


def test_nobody_known_is_not_personal_and_says_so(showcases, folder):
    show = showcases.explain(Profile(), Place(folder), k=2)
    assert not show.personal and show.scores["unusual"] == 0.0
    assert all("Nothing is known of the reader" in reason.words for reason in show.reasons)


def test_pinned_left_out_and_twins(showcases, folder, tmp_path):
    place = Place([folder / f"photo{n}.png" for n in range(6)])
    show = showcases.explain("user0", place, k=3, pin=["photo4.png"], leave_out=["photo1.png"])
    assert show.photos[0].name == "photo4.png" and "photo1.png" not in {path.name for path in show.photos}
    twice = Place([folder / "photo0.png", folder / "photo0.png"])
    assert len(showcases.explain("user0", twice, k=2).photos) == 1
    assert len(showcases.explain("user0", twice, k=2, drop_duplicates=False).photos) == 2
    with pytest.raises(KeyError, match="photo nope.png is none of the 6 of this place; .* wanted, like photo0.png"):
        showcases.explain("user0", place, pin=["nope.png"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lambs", r"did you mean my_lamb_chops.png\?"),
        ("Grilled", r"did you mean grilling-outside.png\?"),
        ("foto1.png", r"did you mean photo1.png\?"),
        ("photo1", r"did you mean photo1.png\?"),
        ("taco", "with that word in their caption: photo1.png"),
    ],
)
def test_a_photo_that_is_none_is_answered_with_those_that_may_be_meant(name, words):
    files = {"my_lamb_chops.png": "", "grilling-outside.png": "", "photo1.png": "Two tacos."}
    rows = np.eye(len(files), dtype=np.float32)
    photos = [Item(f"a/folder/{file}", row, text) for (file, text), row in zip(files.items(), rows, strict=True)]
    for options in (Options(3, leave_out=[name]), Options(3, pin=[name])):
        with pytest.raises(KeyError, match=words):
            candidates(Somewhere("place", "The Fork", photos), options)


def test_more_photos_than_any_place_has_take_no_memory(showcases):
    assert len(showcases.explain("user0", "place1", k=10**12).photos) == len(
        showcases.library.somewhere("place1").distinct
    )


def test_a_second_photo_of_one_scene_is_shown_for_want_of_others(showcases, monkeypatch):
    """Six photos of three scenes, of each a darker one that the method likes as well."""
    scenes = np.eye(8, dtype=np.float32)[:3]
    near = scenes + 0.2 * np.eye(8, dtype=np.float32)[3:6]
    rows = np.concatenate([scenes, near / np.linalg.norm(near, axis=1, keepdims=True)])
    pool = [Item(f"photo{n}", row) for n, row in enumerate(rows)]

    def photos(options, order=(0, 3, 1, 4, 2, 5), bound=0.9):
        monkeypatch.setitem(showcases.library.__dict__, "one_scene", bound)
        numbers = [Shown(np.array(order[: options.k * 8]), np.zeros(6), None, None)]
        short = [numbers[0]._replace(picks=numbers[0].picks[: options.k])]
        monkeypatch.setattr(
            showcases, "_rank", lambda asked, _, k: (short if k == options.k else numbers)[: len(asked)]
        )
        ((found, _),) = showcases._pick([(Somebody("", ""), pool)], options)
        return [item.id for item in found]

    assert photos(Options(3)) == ["photo0", "photo1", "photo2"]
    assert photos(Options(3, drop_duplicates=False)) == photos(Options(3), bound=0.99) == ["photo0", "photo3", "photo1"]
    assert photos(Options(4)) == ["photo0", "photo1", "photo2", "photo3"], "there are no other scenes"
    assert photos(Options(2, pin=["photo3"])) == ["photo3", "photo1"]
    assert photos(Options(2, pin=["photo3", "photo0"])) == ["photo3", "photo0"], "whoever pins both gets both"


def test_what_shows_one_scene_is_measured_on_photos_of_different_places(showcases):
    library = Library(showcases.library.run)
    ids = [f"photo{n}" for n in range(200)]
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    library._place_of = {name: f"place{number % 4}" for number, name in enumerate(ids)}
    library.features = library.features._replace(photos=_Rows(ids, rows))
    pairs = [(a, b) for a in range(200) for b in range(a) if a % 4 != b % 4]
    share = np.mean([rows[a] @ rows[b] > library.one_scene for a, b in pairs])
    assert share == pytest.approx(ALIKE, rel=0.05)
    del library.one_scene
    library.features = library.features._replace(photos=_Rows(ids[:4], rows))
    assert library.one_scene == COPY, "six pairs say nothing"


def test_blocked_words_are_not_said(showcases):
    said = [word for user in USERS for word in showcases.explain(user, "place0").text.split() if len(word) > 3]
    assert said, "nothing was said that could be blocked"
    for user in USERS:
        assert said[0] not in showcases.explain(user, "place0", block=[said[0]]).text


def test_a_blocked_word_is_a_whole_word(showcases):
    said = showcases.explain("user0", "place1").text
    assert "tacos" in said and showcases.explain("user0", "place1", block=["taco"]).text == said


def test_length_keeps_the_sentences_that_are_borne_out_best(showcases):
    whole = showcases.explain("user0", "place1", k=3)
    short = showcases.explain("user0", "place1", k=3, length=1)
    assert len(whole.sentences) > 1
    assert short.sentences == (max(whole.sentences, key=lambda each: each.confidence),)
    assert short.photos == whole.photos and short.text == short.sentences[0].sentence


def test_method_system_decoding_and_tone_are_those_asked_for(showcases, store):
    random = showcases.explain("user0", "place1", k=3, method="random")
    loaded = Showcases.load(store, method="random")
    loaded.encoder._clip = ClipByName()
    assert random.image_ids == loaded.explain("user0", "place1", k=3).image_ids
    options = {"decoding": ["retrieval"], "tone": 0.0}
    teller = showcases.ways.teller(Options(3, **options))
    assert teller.settings.writers == ("retrieval",) and teller.settings.tone == 0
    assert teller is showcases.ways.teller(Options(1, **options)), "opened once"
    quoted = {text for text in teller.quotes.sentences["text"]}
    assert {each.sentence.lower() for each in showcases.explain("user0", "place1", **options).sentences} <= quoted
    other = showcases.ways.teller(Options(3, system="img_gpt2"))
    assert other.generator is not teller.generator and other.quotes is teller.quotes


def test_theta_moves_the_choice_from_variety_to_relevance(showcases):
    varied = [np.mean([r.variety for r in showcases.explain(u, "place1", k=3, theta=0.0).reasons]) for u in USERS]
    relevant = [np.mean([r.relevance for r in showcases.explain(u, "place1", k=3, theta=0.99).reasons]) for u in USERS]
    plain = [showcases.explain(u, "place1", k=3) for u in USERS]
    assert np.mean(varied) >= np.mean([np.mean([r.variety for r in show.reasons]) for show in plain])
    assert np.mean(relevant) >= np.mean([np.mean([r.relevance for r in show.reasons]) for show in plain])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"k": 0}, ValueError, "k = 0: at least one photo"),
        ({"k": 2.5}, TypeError, "k = 2.5: give a whole number"),
        ({"k": "3"}, TypeError, "k = '3': give a whole number"),
        ({"theta": "a"}, TypeError, "theta = 'a': give a number"),
        ({"theta": None}, TypeError, "theta = None: give a number"),
        ({"length": 1.5}, TypeError, "length = 1.5: give a whole number"),
        ({"tone": "kind"}, TypeError, "tone = 'kind': give a number"),
        ({"pin": "x"}, TypeError, r"pin = 'x': give a list, also of one: pin=\['x'\]"),
        ({"leave_out": 3}, TypeError, "leave_out = 3: give a list"),
        ({"block": [3]}, TypeError, "block: 3 is no text"),
        ({"drop_duplicates": "no"}, TypeError, "drop_duplicates = 'no': give True or False"),
        ({"theta": 1.0}, ValueError, "theta = 1.0"),
        ({"thta": 0.5}, TypeError, "thta"),
        ({"tone": 1.1}, ValueError, "tone = 1.1"),
        ({"length": 0}, ValueError, "length = 0"),
        ({"block": "peanut"}, TypeError, "block = 'peanut': give a list"),
        ({"decoding": ["gredy"]}, ValueError, "decoding 'gredy' is none of greedy, beam, sample, retrieval"),
        ({"system": "peter"}, ValueError, "system 'peter' was not trained: there are img_gpt2, ours_pc2l"),
        ({"method": "nope"}, ValueError, "method 'nope' was not run"),
    ],
)
def test_options_out_of_range_or_mistyped(showcases, options, error, words):
    with pytest.raises(error, match=words):
        showcases.explain("user0", "place1", **options)


def test_what_is_no_user_and_no_place_is_said_to_be_none(showcases, folder):
    for call, error, message in [
        (lambda: showcases.explain(7, "place1"), TypeError, "user = 7: give an id or a name"),
        (lambda: showcases.explain("user0", None), TypeError, "place = None: give an id or a name"),
        (lambda: showcases.explain("user0", folder), TypeError, r"or a Place, as in Place\('photos/of/it'\)"),
        (lambda: showcases.explain("user0", str(folder)), KeyError, "a folder of photos is Place.*--candidates"),
        (lambda: showcases.explain_many([USERS[0]]), TypeError, "'user0' is no pair of a user and a place"),
        (lambda: showcases.explain_many([("user0", "place1", 3)]), TypeError, "is no pair"),
        (lambda: Place(3), TypeError, "photos = 3: give a list"),
        (lambda: Place([3]), TypeError, "photos: 3 is no text"),
        (lambda: Place(folder, name=None), TypeError, "name = None: give a text"),
        (lambda: Profile(name=3), TypeError, "name = 3: give a text"),
        (lambda: Profile(texts=[3]), TypeError, "texts: 3 is no text"),
        (lambda: Showcases.load(None), TypeError, "run = None: give a profile, a folder, or Artifacts"),
        (lambda: Showcases.load(folder), StaleStage, f"missing .there is no folder {folder}/demo."),
    ]:
        with pytest.raises(error, match=message):
            call()


def test_a_seed_without_a_generator_is_not_silently_quotes_alone(store, monkeypatch):
    monkeypatch.setattr("showcase_utils.showcase.explain.open_teller", lambda *_: None)  # where telling.system is empty
    with pytest.raises(FileNotFoundError, match=r"no generator with seed 7 was trained: there are \[0\]"):
        Showcases.load(store, seed=7)


def test_a_photo_cannot_be_pinned_and_left_out(showcases):
    image = showcases.explain("user0", "place1").image_ids[0]
    with pytest.raises(ValueError, match=f"photo {image} is both in pin and in leave_out"):
        showcases.explain("user0", "place1", pin=[image], leave_out=[image])


def test_mistyped_arguments_name_what_was_meant(showcases):
    for call, message in [
        (lambda: showcases.explain("user0", "place1", thetta=0.5), "explain takes no 'thetta'; did you mean theta"),
        (lambda: showcases.explain_many([], leaveout=[]), "did you mean leave_out"),
        (lambda: Showcases.load("demo", sistem="x"), "Showcases.load takes no 'sistem'; did you mean system"),
        (lambda: showcases.save("x", license="mit"), "Showcases.save takes no 'license'; did you mean licence"),
        (lambda: Profile(text=["a"]), "Profile takes no 'text'; did you mean texts"),
        (lambda: Place(photo=["a"]), "Place takes no 'photo'; did you mean photos"),
    ]:
        with pytest.raises(TypeError, match=message):
            call()


def test_unknown_ids_name_near_ones(showcases):
    with pytest.raises(KeyError, match="user user9 is not among the 5 .*did you mean user.*showcase find"):
        showcases.explain("user9", "place1")
    with pytest.raises(KeyError, match="place plce1 .*place1"):
        showcases.explain("user0", "plce1")


def test_a_name_that_one_has_is_as_good_as_an_id(showcases, monkeypatch):
    names = {"businesses": {"place1": "Sesame & Salt"}, "users": {"user0": "Ann B.", "user1": "Eve", "user2": "eve"}}
    library = Library(showcases.library.run)
    monkeypatch.setitem(library.__dict__, "names", names)
    assert library.somebody("ann b.", "SESAME & salt").id == "user0"
    assert library.somewhere("Sesame & Salt").id == "place1"
    assert library.users_of("Sesame & Salt") == library.users_of("place1")
    with pytest.raises(KeyError, match="2 users are called Eve: give the id of one, user1, user2"):
        library.somebody("Eve")
    with pytest.raises(KeyError, match=r"user ANN is not .* did you mean Ann B\."):
        library.somebody("ANN")
    found = library.search("sesame")
    assert found["places"]["id"].tolist() == ["place1"] and found["users"].empty
    assert library.search("EVE")["users"]["id"].tolist() == ["user1", "user2"]
    assert set(library.search()["places"]["id"]) == set(BUSINESSES)


def test_a_page_shows_some_readers_of_each_place_before_more_of_any(showcases):
    library = Library(showcases.library.run)
    rows = (
        [("a", f"u{n}", "test") for n in range(7)] + [("b", f"u{n}", "test") for n in range(5)] + [("c", "u9", "train")]
    )
    library.reviews = pd.DataFrame(rows, columns=["business_id", "user_id", "split"])
    assert [place for _, place in library.test_visits(100)] == ["a"] * 4 + ["b"] * 4 + ["a"] * 3 + ["b"]
    assert library.test_visits(2) == [("u0", "a"), ("u1", "a")]


def test_photos_that_cannot_be_read_are_all_named(showcases, folder):
    (folder / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"2 of 3 photos: .*broken.jpg cannot be read.*gone.jpg is not there"):
        showcases.explain("user0", Place([folder / "photo0.png", folder / "broken.jpg", folder / "gone.jpg"]))
    whole = (folder / "photo0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"1 of 1 photos: .*cut.png cannot be read"):
        showcases.explain("user0", Place([folder / "cut.png"]))
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        Place(folder / "nothing").files()
    with pytest.raises(FileNotFoundError, match="a file, not a folder"):
        Place(folder / "photo0.png").files()
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no photo in this folder"):
        Place(folder / "empty").files()
    with pytest.raises(TypeError, match="give a list"):
        Profile(texts="Great ramen.")


def test_what_cannot_be_read_can_be_left_out_unread(showcases, folder):
    (folder / "my broken.jpg").write_bytes(b"no picture")
    (folder / "mine").mkdir()
    with pytest.raises(ValueError, match=r"1 of 7 .*; take it out .*--leave-out 'my broken.jpg', in Python leave_out="):
        showcases.explain("user0", Place(folder))
    with pytest.raises(ValueError, match=r"1 of 2 .*cannot be read .*; take it out of the reader's photos$"):
        showcases.explain(Profile(photos=[folder / "photo0.png", folder / "my broken.jpg"]), "place1")
    for name in ("my broken.jpg", str(folder / "my broken.jpg")):
        show = showcases.explain("user0", Place(folder), k=9, leave_out=[name], drop_duplicates=False)
        assert sorted(path.name for path in show.photos) == [f"photo{n}.png" for n in range(6)]
    assert showcases.explain("user0", Place(folder), k=2, leave_out=["my broken.jpg"], pin=["photo3.png"]).photos
    with pytest.raises(ValueError, match="both in pin and in leave_out"):
        showcases.explain("user0", Place(folder), leave_out=["my broken.jpg"], pin=["my broken.jpg"])
    with pytest.raises(ValueError, match="no photo is left to choose from"):
        showcases.explain("user0", Place([folder / "my broken.jpg"]), leave_out=["my broken.jpg"])


def test_a_reader_s_photos_are_a_folder_or_a_list_as_a_place_s_are(showcases, folder):
    listed = showcases.explain(Profile(photos=sorted(folder.iterdir())), "place1", k=2)
    assert showcases.explain(Profile(photos=folder), "place1", k=2) == listed
    assert showcases.explain(Profile(photos=str(folder)), "place1", k=2) == listed
    for one in (Profile(photos=[folder]), Place([folder])):
        with pytest.raises(ValueError, match=r"is a folder among photos: give it alone, photos='/"):
            one.files()
    with pytest.raises(FileNotFoundError, match=r"a file, not a folder of photos; .* a list takes files: photos=\['/"):
        Profile(photos=folder / "photo0.png").files()
    assert Profile().files() == []


def test_what_was_asked_for_once_is_not_read_again(showcases, monkeypatch):
    pairs = [(user, "place1") for user in USERS]
    first = showcases.explain_many(pairs)
    for store in showcases.library.features[:2]:
        monkeypatch.setattr(store, "shard", lambda number: pytest.fail("features are read again"))
    assert showcases.explain_many(pairs) == first


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"decoding": ["greedy", "sample"]}])
def test_eight_threads_give_the_answers_of_one(store, options):
    """Also of a run that was just opened, and of sampling, whose random numbers belong to the whole process."""
    showcases = Showcases.load(store)
    showcases.encoder._clip = ClipByName()
    pairs = [(user, business) for user in USERS for business in BUSINESSES][::3]
    with ThreadPoolExecutor(8) as threads:
        made = [threads.submit(lambda: [showcases.explain(*p, **options).to_dict() for p in pairs]) for _ in range(8)]
        found = [one.result() for one in made]
    assert found == [[showcases.explain(*p, **options).to_dict() for p in pairs]] * 8


def test_what_is_shown_is_what_the_selection_stage_would_choose(showcases, store):
    """Ids in the product and samples in the stage go through different code; both must pick the same photos."""
    from showcase_utils.selection.pools import open_pools

    pools, showing = open_pools(store).whole(), Showing.load(store)
    for row in range(len(pools.samples)):
        sample = pools.samples.iloc[row]
        shown = showing(
            pools.features[pools.candidates[row]],
            pools.features[pools.history_photos[row]],
            pools.texts[pools.history_texts[row]],
        )
        ids = pools.photo_ids[pools.candidates[row]][shown.picks].tolist()
        assert list(showcases.explain(sample["user_id"], sample["business_id"]).image_ids) == ids


def test_missing_stages_and_systems_are_named(store, tmp_path):
    with pytest.raises(StaleStage, match="01_data_filtering"):
        Showcases.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="system 'peter' with seed 0 was not trained: there are .*ours_pc2l-0"):
        Showcases.load(store, system="peter")
    with pytest.raises(ValueError, match="no profile 'nope'.*or a folder that Showcases.save"):
        Showcases.load("nope")


def test_as_json(showcases):
    import json

    show = showcases.explain("user0", "place1", k=2)
    read = json.loads(json.dumps(show.to_dict(), allow_nan=False))
    assert read["image_ids"] == list(show.image_ids) and len(read["reasons"][0]["past"]) > 0


def test_the_command_hands_every_option_on(showcases, store, monkeypatch):
    import json
    from dataclasses import fields

    from typer.testing import CliRunner

    from showcase_utils import cli

    show, asked = showcases.explain("user0", "place1", k=2), []

    class Recorder:
        def explain(self, *given, **options):
            asked.append((given, options))
            return show

    monkeypatch.setattr(cli, "Artifacts", lambda *_: store)
    monkeypatch.setattr(Showcases, "load", lambda run: Recorder())
    line = "explain user0 place1 -k 2 --theta 0.7 --method random --pin a --leave-out b --leave-out c --keep-duplicates"
    line += " --system img_gpt2 --decoding retrieval,greedy --decoding beam --tone 0.1 --length 1 --block awful --json"
    result = CliRunner().invoke(cli.app, line.split())
    photos = {"theta": 0.7, "method": "random", "pin": ["a"], "leave_out": ["b", "c"], "drop_duplicates": False}
    text = {
        "system": "img_gpt2",
        "decoding": ["retrieval", "greedy", "beam"],
        "tone": 0.1,
        "length": 1,
        "block": ["awful"],
    }
    assert asked == [(("user0", "place1", 2), photos | text)]
    assert {field.name for field in fields(Options)} == {"k", *photos, *text}, "an option that the command lacks"
    assert json.loads(result.stdout) == json.loads(json.dumps(show.to_dict()))


def test_the_command_names_a_place_of_photos(showcases, store, folder, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from showcase_utils import cli

    (tmp_path / "past.txt").write_text("Great ramen.", encoding="utf-8")
    monkeypatch.setattr(cli, "Artifacts", lambda *_: store)
    monkeypatch.setattr(Showcases, "load", lambda run: showcases)

    def title(*more):
        line = ["explain", "--history", str(tmp_path / "past.txt"), *more, "--html", str(tmp_path / "page.html")]
        result = CliRunner().invoke(cli.app, line)
        assert result.exit_code == 0, result.output
        return (tmp_path / "page.html").read_text(encoding="utf-8").partition("<title>")[2].partition("</title>")[0]

    assert title("--candidates", str(folder)) == f"{folder.name} for this reader"
    assert title("--candidates", str(folder), "--name", "Chez <Nous>") == "Chez &lt;Nous&gt; for this reader"
    result = CliRunner().invoke(cli.app, ["explain", "user0", "place1", "--name", "Chez Nous"])
    assert result.exit_code == 1 and "--name Chez Nous: it names the place of --candidates" in result.output


def test_the_command_that_finds_nothing_says_so(store, monkeypatch):
    from typer.testing import CliRunner

    from showcase_utils import cli

    monkeypatch.setattr(cli, "Artifacts", lambda *_: store)
    assert "places: 1\n" in CliRunner().invoke(cli.app, ["find", "place1"]).output
    result = CliRunner().invoke(cli.app, ["find", "sesame"])
    assert result.exit_code == 1 and "no place has 'sesame' in name or id" in result.output
