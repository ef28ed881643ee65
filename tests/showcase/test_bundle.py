"""A run as one folder: saved, moved, loaded; and what is refused."""

import json
import shutil

import pytest
import safetensors.numpy
from huggingface_hub import ModelCard

from showcase_utils.artifacts import Artifacts
from showcase_utils.showcase import Place, Profile, Showcases
from showcase_utils.showcase.bundle import Bundle
from tests.showcase.conftest import BUSINESSES, USERS, ClipByName


@pytest.fixture(scope="module")
def bundle(showcases, tmp_path_factory):
    return showcases.save(tmp_path_factory.mktemp("shelf") / "bundle", licence="cc-by-4.0")


@pytest.fixture
def moved(bundle, tmp_path):
    """As on another machine: elsewhere, and without what makes symbolic links or dates."""
    return shutil.copytree(bundle, tmp_path / "another place", copy_function=shutil.copyfile)


def plain(show, root):
    return json.loads(json.dumps(show.to_dict()).replace(str(root), ""))


@pytest.mark.slow
def test_a_moved_bundle_explains_as_the_run_does(showcases, store, moved, monkeypatch):
    loaded = Showcases.load(str(moved))
    monkeypatch.setattr(Artifacts, "path", lambda self, stage: pytest.fail(f"asks for the stage {stage} of the run"))
    loaded.encoder._clip = ClipByName()
    pairs = [(user, business) for user in USERS for business in BUSINESSES]
    root = store.settings.data.images
    there = [plain(show, moved / "photos") for show in loaded.explain_many(pairs)]
    monkeypatch.undo()
    assert there == [plain(show, root) for show in showcases.explain_many(pairs)]
    shown = loaded.explain("user0", "place1")
    assert all(path.is_file() and moved in path.parents for path in (*shown.photos, *shown.past_photos))
    assert loaded.ways.systems == ["ours_pc2l"]


def test_new_photos_and_texts_with_the_clip_that_comes_along(bundle, tmp_path, monkeypatch):
    loaded = Showcases.load(bundle)
    assert loaded.settings.encoding.model == f"local-dir:{bundle / 'clip'}"
    assert (bundle / "clip" / "open_clip_model.safetensors").is_file()
    loaded.encoder._clip = ClipByName()
    photos = sorted((bundle / "photos").iterdir())[:3]
    assert loaded.explain(Profile(texts=["Great tea."]), Place(photos)).photos


def test_it_holds_weights_tables_and_text_and_nothing_that_runs(bundle):
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    kinds = {name.rpartition(".")[2] for name in files}
    assert kinds <= {"safetensors", "json", "parquet", "npy", "jpg", "md", "csv"}
    assert files - {"bundle.json"} == json.loads((bundle / "bundle.json").read_text())["files"].keys()
    assert safetensors.numpy.load_file(bundle / "generation" / "ours_pc2l-0" / "model.safetensors")
    assert str(bundle.parent) not in "".join(path.read_text() for path in bundle.glob("*.json"))


def test_its_card_tells_data_settings_and_limits(bundle):
    card = ModelCard.load(bundle / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.library_name == "personalized-showcases"
    for words in ("15 reviews", "5 users", "seed 0", "`metric_dpp` chooses", "`ours_pc2l` writes", "Not evaluated"):
        assert words in card.text, words


def test_a_bundle_is_saved_again_as_it_is(bundle, tmp_path):
    again = Showcases.load(bundle).save(tmp_path / "again")
    assert (again / "bundle.json").read_bytes() == (bundle / "bundle.json").read_bytes()
    Bundle(again, thorough=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("texts/quotes.parquet", "texts/quotes.parquet is gone"),
        ("generation/ours_pc2l-0/model.safetensors", "model.safetensors is gone"),
        ("bundle.json", "no bundle of Showcases.save, or one that was cut off"),
    ],
)
def test_part_of_a_bundle_is_never_taken_for_all(moved, name, message):
    (moved / name).unlink()
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        Showcases.load(moved)


@pytest.mark.parametrize("name", ["settings.json", "selection/models/metric-img+text-0/model.safetensors"])
def test_a_flipped_bit_is_found(moved, name):
    content = bytearray((moved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (moved / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name.replace('+', '.')} is not what was written"):
        Showcases.load(moved)


def test_a_photo_that_was_cut_short_is_found_and_a_changed_one_by_a_thorough_look(moved):
    photo = sorted((moved / "photos").iterdir())[0]
    whole = photo.read_bytes()
    photo.write_bytes(whole[:-1] + b"x")
    Bundle(moved)
    with pytest.raises(ValueError, match="is not what was written"):
        Bundle(moved, thorough=True)
    photo.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="is not what was written"):
        Bundle(moved)


def test_files_outside_of_it_are_not_its_own(moved):
    facts = json.loads((moved / "bundle.json").read_text())
    facts["files"]["../elsewhere.json"] = {"bytes": 1, "sha256": ""}
    (moved / "bundle.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="names files outside"):
        Showcases.load(moved)


def test_nothing_is_left_of_a_save_that_fails_and_nothing_is_written_over(showcases, tmp_path, monkeypatch):
    with pytest.raises(FileExistsError, match="not empty"):
        showcases.save(tmp_path.parent)

    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr("showcase_utils.showcase.bundle.write_json", full)
    with pytest.raises(OSError, match="no space left"):
        showcases.save(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
