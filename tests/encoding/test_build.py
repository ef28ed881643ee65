from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from showcase_utils.alignment.inspection import nearest_photos
from showcase_utils.alignment.phi import AlignmentClassifier
from showcase_utils.config import Alignment, Encoding
from showcase_utils.encoding import build as stages
from showcase_utils.encoding.build import build_alignment, build_features, load_sentences
from showcase_utils.encoding.clip import load_clip
from showcase_utils.encoding.features import FeatureStore

from .conftest import save_small_clip

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Reviews of red and blue plates: s1, images of all reviews (one unreadable, one dead), annotations."""
    folder, rng = tmp_path_factory.mktemp("world"), np.random.default_rng(0)
    reviews, images, labels = [], [], []
    for number in range(60):
        review_id, sentences = f"u{number % 20}_b{number % 7}_{number}", ["We waited long.", "Nice place!"]
        ids = []
        for position, colour in enumerate(rng.choice(list(COLOURS), size=2)):
            image_id = f"p{number}_{position}"
            path = folder / f"{image_id}.jpg"
            pixels = np.array(COLOURS[colour]) + rng.integers(-25, 25, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
            ids.append(image_id)
            images.append((image_id, review_id, str(path), "ok"))
            sentences.insert(0, f"The {colour} plate was great {number % 5}.")
            for sentence in sentences:
                labels += [(review_id, sentence, image_id, who, int(colour in sentence)) for who in "abc"]
        images.append((f"dead{number}", review_id, "", "expired"))
        reviews.append((review_id, f"u{number % 20}", f"b{number % 7}", 5, " ".join(sentences), ids, "train"))
    Path(images[0][2]).write_bytes(b"broken")
    columns = ["review_id", "user_id", "business_id", "rating", "text", "image_ids", "split"]
    s1 = pd.DataFrame(reviews, columns=columns)[:45]  # the others have labels, but are not in s1
    annotations = pd.DataFrame(labels, columns=["review_id", "sentence", "image_id", "annotator", "label"])
    return (
        s1,
        pd.DataFrame(images, columns=["image_id", "review_id", "path", "status"]),
        annotations.drop_duplicates(["review_id", "sentence", "image_id", "annotator"]),
    )


@pytest.fixture
def features(world: tuple, settings: Encoding, tmp_path: Path) -> Path:
    out = tmp_path / "features"
    build_features(out, world[0], world[1], settings, "cpu", progress=False)
    return out


def digest(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_features_of_photos_reviews_and_sentences(world: tuple, settings: Encoding, features: Path) -> None:
    s1, images, _ = world
    clip, sentences = load_clip(settings, "cpu"), load_sentences(features)
    stores = {name: FeatureStore.open(features / name) for name in ("photos", "reviews", "sentences")}
    assert len(stores["photos"]) == 89 and len(stores["reviews"]) == 45
    assert stores["sentences"].ids == sentences["sentence_id"].tolist()
    assert {store.fingerprint for store in stores.values()} == {clip.fingerprint}
    paths = images.set_index("image_id")["path"]
    np.testing.assert_allclose(stores["photos"][["p7_1"]], clip.encode_images([paths["p7_1"]]), atol=1e-3)
    np.testing.assert_allclose(
        stores["reviews"][s1["review_id"][:4]], clip.encode_texts(s1["text"][:4].tolist()), atol=1e-3
    )
    np.testing.assert_allclose(
        stores["sentences"][sentences["sentence_id"][:9]], clip.encode_texts(sentences["text"][:9].tolist()), atol=1e-3
    )
    rejects = pd.read_parquet(features / "rejects.parquet")
    assert rejects.values.tolist() == [["p0_0", "UnidentifiedImageError: cannot identify image file 'p0_0.jpg'"]]


def test_an_interrupted_build_ends_with_the_same_bytes(
    world: tuple, settings: Encoding, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = stages.write_features, []

    def cut_off(*args: object, **kwargs: object) -> FeatureStore:
        calls.append(args[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(stages, "write_features", cut_off)
        with pytest.raises(KeyboardInterrupt):
            build_features(tmp_path / "again", world[0], world[1], settings, "cpu", progress=False)
    build_features(tmp_path / "again", world[0], world[1], settings, "cpu", progress=False)
    assert digest(tmp_path / "again") == digest(features)


def test_an_earlier_stage_is_taken_over_but_for_what_is_new_or_another(
    world: tuple, settings: Encoding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s1, images, _ = world
    images = images.assign(path=[shutil.copy(path, tmp_path) if path else "" for path in images["path"]])
    build_features(tmp_path / "old", s1[:30], images, settings, "cpu", progress=False)
    s1 = s1[1:].assign(text=s1["text"].where(s1.index != 5, "We loved it."))
    shutil.copy(tmp_path / "p8_0.jpg", tmp_path / "p7_0.jpg")
    encoded: list[str] = []

    class Counting(stages.Clip):
        def stream_images(self, photos, batches):  # noqa: ANN001, ANN202
            encoded.extend(Path(photo).stem for photo in photos)
            return super().stream_images(photos, batches)

        def stream_texts(self, texts, batches):  # noqa: ANN001, ANN202
            encoded.extend(texts)
            return super().stream_texts(texts, batches)

    monkeypatch.setattr("showcase_utils.encoding.clip.Clip", Counting)
    build_features(tmp_path / "new", s1, images, settings, "cpu", progress=False, previous=tmp_path / "old")
    assert [key for key in encoded if key.startswith("p")] == ["p7_0", *s1["image_ids"].loc[30:].explode()]
    assert encoded.count("We loved it.") == 2  # as a review, and as its sentence
    assert set(s1["text"].loc[:29]) & set(encoded) <= {"We loved it.", *s1["text"].loc[30:]}
    build_features(tmp_path / "scratch", s1, images, settings, "cpu", progress=False)
    for name in stages.STORES:
        taken, fresh = FeatureStore.open(tmp_path / "new" / name), FeatureStore.open(tmp_path / "scratch" / name)
        assert taken.ids == fresh.ids
        np.testing.assert_allclose(taken[taken.ids], fresh[fresh.ids], atol=1e-3)
    assert pd.read_parquet(tmp_path / "new" / "rejects.parquet").empty  # the broken photo is wanted no more


def test_photos_of_which_none_can_be_encoded_are_an_error_that_can_be_mended(
    world: tuple, settings: Encoding, tmp_path: Path
) -> None:
    s1, images, _ = world
    there = images[images["status"] == "ok"]
    moved = there.assign(path=[str(tmp_path / "elsewhere" / Path(path).name) for path in there["path"]])
    with pytest.raises(ValueError, match=r"not one of 90 photos could be encoded \(p0_0: no such file\).*data.images"):
        build_features(tmp_path / "out", s1, moved, settings, "cpu", progress=False)
    shutil.copytree(Path(there["path"].iloc[0]).parent, tmp_path / "elsewhere")
    build_features(tmp_path / "out", s1, moved, settings, "cpu", progress=False)
    assert len(FeatureStore.open(tmp_path / "out" / "photos")) == 89
    build_features(tmp_path / "texts", s1, images[:0], settings, "cpu", progress=False)  # no photos are no error
    assert len(FeatureStore.open(tmp_path / "texts" / "photos")) == 0


def test_alignment_is_trained_scored_and_distilled(
    world: tuple, settings: Encoding, features: Path, tmp_path: Path
) -> None:
    s1, images, annotations = world
    out = tmp_path / "alignment"
    out.mkdir()
    build_alignment(out, s1, images, annotations, features, settings, Alignment(lr=1e-2), 0, "cpu", progress=False)
    facts = json.loads((out / "metrics.json").read_text())
    pairs = pd.read_parquet(out / "pairs.parquet")
    assert (facts["annotated_reviews"], facts["fleiss_kappa"]) == (60, 1.0)
    assert facts["annotated_pairs"] == len(pairs) + facts["pairs_without_photo"]
    assert facts["pairs_without_photo"] == (annotations["image_id"] == "p0_0").sum() / 3
    assert 0.5 < facts["test"]["auc_interval"][0] <= facts["test"]["auc"]  # "we waited" is never in a photo: additive
    scores, s2 = pd.read_parquet(out / "scores.parquet"), pd.read_parquet(out / "s2.parquet")
    counts = json.loads((out / "counts.json").read_text())
    sentences = load_sentences(features)
    assert counts["pairs_scored"] == len(scores) == 2 * len(sentences) - (sentences["review_id"] == "u0_b0_0").sum()
    assert counts["reviews_kept"] == len(s2) > 0 and s2.columns.tolist() == s1.columns.tolist()
    phi = AlignmentClassifier.load(out, FeatureStore.open(features / "photos").fingerprint)
    kept = set(scores.loc[scores["confidence"] >= phi.threshold, "sentence_id"])
    texts = sentences[sentences["sentence_id"].isin(kept)].groupby("review_id")["text"].agg(" ".join)
    assert s2.set_index("review_id")["text"].to_dict() == texts.to_dict()
    assert (out / "curves.parquet").exists() and (out / "history.csv").exists()


def test_the_same_seed_gives_the_same_alignment_bytes(
    world: tuple, settings: Encoding, features: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        build_alignment(
            tmp_path / name, *world[:2], world[2], features, settings, Alignment(epochs=3), 5, "cpu", progress=False
        )
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_trained_phi_needs_no_annotations_and_published_s2_stays_as_it_is(
    world: tuple, settings: Encoding, features: Path, tmp_path: Path
) -> None:
    s1, images, _ = world
    phi = AlignmentClassifier(16)
    phi.fingerprint, phi.threshold = FeatureStore.open(features / "photos").fingerprint, 2.0
    (tmp_path / "phi").mkdir()
    phi.save(tmp_path / "phi")
    (tmp_path / "out").mkdir()
    pretrained = Alignment(pretrained=tmp_path / "phi")
    args = (s1, images, None, features, settings)
    build_alignment(tmp_path / "out", *args, pretrained, 0, "cpu", progress=False, published=True)
    s2 = pd.read_parquet(tmp_path / "out" / "s2.parquet")
    assert s2["text"].tolist() == s1["text"].tolist() and len(pd.read_parquet(tmp_path / "out" / "scores.parquet"))
    build_alignment(tmp_path / "out", *args, pretrained, 0, "cpu", progress=False)
    assert pd.read_parquet(tmp_path / "out" / "s2.parquet").empty  # no confidence reaches 2
    with pytest.raises(ValueError, match="no annotations for Φ: set data.annotations"):
        build_alignment(tmp_path / "out", *args, Alignment(), 0, "cpu", progress=False)


def test_features_of_another_clip_are_refused(world: tuple, settings: Encoding, features: Path, tmp_path: Path) -> None:
    other = Encoding(model=f"local-dir:{save_small_clip(tmp_path / 'other', quick_gelu=True)}", workers=0)
    with pytest.raises(ValueError, match="of another CLIP"):
        build_alignment(tmp_path, *world, features, other, Alignment(), 0, "cpu", progress=False)
    photos = FeatureStore.open(features / "photos")
    with pytest.raises(ValueError, match="features in 'photos' are of another CLIP .* run notebook 02_clip_encoding"):
        nearest_photos(load_clip(other, "cpu"), photos, ["red"], k=3)
