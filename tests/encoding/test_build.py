from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcase_utils.config import Encoding
from showcase_utils.encoding import build, engine
from showcase_utils.encoding.build import build_features, encode_reviews
from showcase_utils.encoding.clip import Clip, load_clip
from showcase_utils.encoding.features import FeatureStore, FeatureStores, load_sentences, open_features
from showcase_utils.encoding.retrieval import nearest_photos, photos_of_busiest, recall_at_one

from .conftest import PlateWorld, digest, save_small_clip


@pytest.fixture
def images(plates: PlateWorld) -> pd.DataFrame:
    """With absolute paths, as ``load_images`` gives them."""
    root = plates.settings.data.images
    return plates.images.assign(path=[str(root / path) if path else "" for path in plates.images["path"]])


def test_features_of_photos_reviews_and_sentences(plates: PlateWorld, images: pd.DataFrame, features: Path) -> None:
    stages = plates.context(features, features=features)
    stores, sentences = open_features(stages), load_sentences(stages)
    clip = load_clip(plates.settings.encoding, "cpu")
    assert len(stores.photos) == 89 and len(stores.reviews) == 45
    assert stores.sentences.ids == sentences["sentence_id"].tolist()
    assert {store.fingerprint for store in stores} == {clip.fingerprint}
    path, s1 = images.set_index("image_id").loc["p7_1", "path"], plates.s1
    np.testing.assert_allclose(stores.photos["p7_1"], clip.encode_images([path]), atol=1e-3)
    for store, ids, texts in (
        (stores.reviews, s1["review_id"], s1["text"]),
        (stores.sentences, sentences["sentence_id"], sentences["text"]),
    ):
        np.testing.assert_allclose(store[ids[:9]], clip.encode_texts(texts[:9].tolist()), atol=1e-3)
    rejects = pd.read_parquet(features / "rejects.parquet")
    assert rejects.values.tolist() == [["p0_0", "UnidentifiedImageError: cannot identify image file 'p0_0.jpg'"]]


def test_an_interrupted_build_ends_with_the_same_bytes(
    plates: PlateWorld, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*args: object, **kwargs: object) -> FeatureStore:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine.StoreEncoder, "texts", cut_off)
        with pytest.raises(KeyboardInterrupt):
            build_features(plates.context(tmp_path / "again"))
    build_features(plates.context(tmp_path / "again"))
    assert digest(tmp_path / "again") == digest(features)


def test_an_earlier_stage_is_reused_but_for_what_is_new_or_another(
    plates: PlateWorld, images: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = images.assign(path=[shutil.copy(path, tmp_path) if path else "" for path in images["path"]])
    settings = plates.settings.encoding
    encode_reviews(tmp_path / "old", plates.s1[:30], images, settings, "cpu", progress=False)
    s1 = plates.s1[1:].assign(text=plates.s1["text"].where(plates.s1.index != 5, "We loved it."))
    shutil.copy(tmp_path / "p59_0.jpg", tmp_path / "p7_0.jpg")
    encoded: list[str] = []

    class Counting(Clip):
        def stream_images(self, photos, batches):  # noqa: ANN001, ANN202
            encoded.extend(Path(photo).stem for photo in photos)
            return super().stream_images(photos, batches)

        def stream_texts(self, texts, batches):  # noqa: ANN001, ANN202
            encoded.extend(texts)
            return super().stream_texts(texts, batches)

    monkeypatch.setattr("showcase_utils.encoding.clip.Clip", Counting)
    encode_reviews(tmp_path / "new", s1, images, settings, "cpu", tmp_path / "old", progress=False)
    assert [key for key in encoded if key.startswith("p")] == ["p7_0", *s1["image_ids"].loc[30:].explode()]
    assert encoded.count("We loved it.") == 2  # as a review, and as its sentence
    assert set(s1["text"].loc[:29]) & set(encoded) <= {"We loved it.", *s1["text"].loc[30:]}
    encode_reviews(tmp_path / "scratch", s1, images, settings, "cpu", progress=False)
    for name in FeatureStores._fields:
        reused, fresh = FeatureStore.open(tmp_path / "new" / name), FeatureStore.open(tmp_path / "scratch" / name)
        assert reused.ids == fresh.ids
        np.testing.assert_allclose(reused[reused.ids], fresh[fresh.ids], atol=1e-3)
    assert pd.read_parquet(tmp_path / "new" / "rejects.parquet").empty  # the broken photo is wanted no more


def test_photos_of_which_none_can_be_encoded_are_an_error_that_can_be_mended(
    plates: PlateWorld, images: pd.DataFrame, tmp_path: Path
) -> None:
    there, settings = images[images["status"] == "ok"], plates.settings.encoding
    moved = there.assign(path=[str(tmp_path / "moved" / Path(path).name) for path in there["path"]])
    with pytest.raises(ValueError, match=r"not one of 90 photos could be encoded \(p0_0: no such file\).*data.images"):
        encode_reviews(tmp_path / "out", plates.s1, moved, settings, "cpu", progress=False)
    shutil.copytree(Path(there["path"].iloc[0]).parent, tmp_path / "moved")
    encode_reviews(tmp_path / "out", plates.s1, moved, settings, "cpu", progress=False)
    assert len(FeatureStore.open(tmp_path / "out" / "photos")) == 89
    encode_reviews(tmp_path / "texts", plates.s1, images[:0], settings, "cpu", progress=False)  # no photos: no error
    assert len(FeatureStore.open(tmp_path / "texts" / "photos")) == 0


@pytest.mark.slow
def test_many_photos_are_encoded_beside_the_texts_to_the_same_bytes(
    plates: PlateWorld, images: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("showcase_utils.parallel.cpu_count", lambda: 2)
    settings, here = Encoding(workers=0), []
    one = engine.StoreEncoder.texts
    monkeypatch.setattr(engine.StoreEncoder, "texts", lambda *given: here.append(1) or one(*given))
    encode_reviews(tmp_path / "alone", plates.s1, images, settings, "cpu", progress=False)
    monkeypatch.setattr(build, "FEW", 0)
    encode_reviews(tmp_path / "beside", plates.s1, images, settings, "cpu", progress=False)
    assert len(here) == 2  # the second time other processes encoded
    assert digest(tmp_path / "beside") == digest(tmp_path / "alone")
    gone = images.assign(path=[f"{path}.gone" for path in images["path"]])
    with pytest.raises(ValueError, match="not one of 90 photos could be encoded"):
        encode_reviews(tmp_path / "gone", plates.s1, gone, settings, "cpu", progress=False)
    assert not (tmp_path / "gone" / "photos").exists()


def test_the_nearest_photos_of_a_phrase(plates: PlateWorld, features: Path, tmp_path: Path) -> None:
    clip, photos = load_clip(plates.settings.encoding, "cpu"), FeatureStore.open(features / "photos")
    ids, cosine = nearest_photos(clip, photos, ["red plate", "we waited"], k=3)
    every = clip.encode_texts(["red plate", "we waited"]) @ photos[photos.ids].T
    np.testing.assert_allclose(cosine, -np.sort(-every, axis=1)[:, :3], atol=1e-6)
    assert ids[0] == [photos.ids[column] for column in np.argsort(-every[0], kind="stable")[:3]]
    other = Encoding(model=f"local-dir:{save_small_clip(tmp_path / 'other', quick_gelu=True)}", workers=0)
    with pytest.raises(ValueError, match="features in 'photos' are of another CLIP .* run notebook 02_clip_encoding"):
        nearest_photos(load_clip(other, "cpu"), photos, ["red"], k=3)


def test_recall_is_one_for_pairs_that_match_and_chance_for_pairs_that_do_not() -> None:
    rng = np.random.default_rng(0)
    image, sentence = (rng.normal(size=(2000, 16)) for _ in range(2))
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    assert recall_at_one(image, image, among=100, seed=0) == 1
    assert recall_at_one(image, sentence, among=10, seed=0) == pytest.approx(0.1, abs=4 * 0.0067)


def test_photos_of_the_businesses_with_the_most_reviews(plates: PlateWorld, features: Path) -> None:
    photos = FeatureStore.open(features / "photos")
    shown = photos_of_busiest(plates.s1, photos, businesses=2, each=5)
    assert shown["business_id"].tolist() == ["b0"] * 5 + ["b1"] * 5
    assert "p0_0" not in shown["image_id"].tolist()  # which could not be encoded
    owner = plates.s1.explode("image_ids").set_index("image_ids")["business_id"]
    assert owner[shown["image_id"]].tolist() == shown["business_id"].tolist()
