from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment import diversity
from showcase_utils.alignment.annotations import find_annotations
from showcase_utils.alignment.build import build_alignment
from showcase_utils.alignment.examples import agreed_pairs
from showcase_utils.alignment.frames import load_diversity, load_s2, load_scores
from showcase_utils.alignment.labelled import load_labelled
from showcase_utils.alignment.phi import AlignmentClassifier, load_phi
from showcase_utils.alignment.variants import phi_variants
from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Alignment, Settings, load_settings
from showcase_utils.encoding.features import FeatureStore, load_sentences
from tests.encoding.conftest import PlateWorld, digest, save_small_clip


def build(
    plates: PlateWorld, features: Path, out: Path, data_stage: Path | None = None, **changes: object
) -> BuildContext:
    """The stage in ``out``, from other data or with other settings; returns what reads it."""
    alignment = changes.pop("alignment", Alignment(lr=1e-2, epochs=20))
    data = plates.settings.data.model_copy(update=changes.pop("data", {}))
    settings: Settings = plates.settings.model_copy(update={"alignment": alignment, "data": data, **changes})
    stages = {"features": features, "data": data_stage or plates.data}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "PAIRS", 400)
        build_alignment(plates.context(out, settings, **stages))
    return plates.context(out, settings, **stages, alignment=out)


@pytest.fixture(scope="module")
def trained(plates: PlateWorld, features: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildContext:
    return build(plates, features, tmp_path_factory.mktemp("trained") / "alignment")


def facts_of(stages: BuildContext, name: str = "metrics") -> dict:
    return json.loads((stages.path("alignment") / f"{name}.json").read_text())


def test_phi_is_trained_on_the_votes_also_of_reviews_outside_s1(plates: PlateWorld, trained: BuildContext) -> None:
    facts, labelled, annotations = facts_of(trained), load_labelled(trained), plates.annotations
    assert facts["variant"] == load_phi(trained).variant == "one layer on [v; s]"
    assert (facts["annotated_reviews"], facts["fleiss_kappa"]) == (60, 1.0)
    assert facts["annotated_pairs"] == len(labelled.frame) + facts["pairs_without_photo"]
    assert facts["pairs_without_photo"] == (annotations["image_id"] == "p0_0").sum() / 3
    assert 0.5 < facts["test"]["auc"]  # "we waited" is never in a photo: additive
    assert set(labelled.frame["review_id"]) > set(plates.s1["review_id"])
    test = labelled.side("test")
    assert set(test.review) == set(labelled.frame.loc[labelled.frame["split"] == "test", "review_id"])
    np.testing.assert_allclose(
        load_phi(trained).score(test.image, test.sentence),
        labelled.frame.loc[labelled.frame["split"] == "test", "confidence"],
        atol=1e-6,
    )


def test_what_is_labelled_has_the_features_of_the_stage_features(plates: PlateWorld, trained: BuildContext) -> None:
    labelled, sentences = load_labelled(trained), load_sentences(trained)
    sentences = sentences.rename(columns={"text": "sentence"})
    pairs = labelled.frame.reset_index(names="row").merge(sentences, on=["review_id", "sentence"])
    pairs = pairs[pairs["image_id"].isin(plates.s1["image_ids"].explode())]
    photos, texts = (FeatureStore.open(trained.path("features") / name) for name in ("photos", "sentences"))
    assert len(pairs) > 100
    np.testing.assert_array_equal(labelled.image[pairs["row"]], photos[pairs["image_id"]])
    np.testing.assert_array_equal(labelled.sentence[pairs["row"]], texts[pairs["sentence_id"]])


def test_pairs_are_scored_and_s2_is_what_phi_supports(plates: PlateWorld, trained: BuildContext) -> None:
    scores, s2, sentences = load_scores(trained), load_s2(trained), load_sentences(trained)
    counts = facts_of(trained, "counts")
    assert counts["pairs_scored"] == len(scores) == 2 * len(sentences) - (sentences["review_id"] == "u0_b0_0").sum()
    assert counts["reviews_kept"] == len(s2) > 0 and s2.columns.tolist() == plates.s1.columns.tolist()
    kept = set(scores.loc[scores["confidence"] >= load_phi(trained).threshold, "sentence_id"])
    texts = sentences[sentences["sentence_id"].isin(kept)].groupby("review_id")["text"].agg(" ".join)
    assert s2.set_index("review_id")["text"].to_dict() == texts.to_dict()


def test_the_visual_diversity_is_measured_once_and_stored(trained: BuildContext) -> None:
    found = load_diversity(trained)
    assert found.pairs["kind"].value_counts().to_dict() == dict.fromkeys(found.means["kind"], 400)
    rows, means = found.differences.set_index(["groups", "reviews"]), found.means.set_index("kind")["mean"]
    for name in ("business", "user"):
        row = rows.loc[(name, "any")]
        for side in ("inter", "intra"):
            assert row[side] == pytest.approx(means[f"{side} {name}"])
        assert row["low"] < row["difference"] < row["high"]
        assert row["standard_error"] == pytest.approx((row["high"] - row["low"]) / 3.92, rel=0.15)


def test_intervals_of_the_visual_diversity_follow_the_confidence(trained: BuildContext) -> None:
    wide = load_diversity(trained)
    for confidence, narrower in ((0.95 + 1e-12, 1.0), (0.5, 0.34)):
        evaluation = trained.settings.evaluation.model_copy(update={"confidence": confidence})
        settings = trained.settings.model_copy(update={"evaluation": evaluation})
        found = load_diversity(dataclasses.replace(trained, settings=settings))
        for table, other in ((found.means, wide.means), (found.differences, wide.differences)):
            widths = (table["high"] - table["low"]) / (other["high"] - other["low"])
            assert widths.to_numpy() == pytest.approx(narrower, abs=0.1 * (narrower < 1) + 1e-6)
        assert found.differences["difference"].to_numpy() == pytest.approx(wide.differences["difference"].to_numpy())


def test_the_same_seed_gives_the_same_bytes(
    plates: PlateWorld, features: Path, trained: BuildContext, tmp_path: Path
) -> None:
    again = build(plates, features, tmp_path / "again")
    assert digest(again.path("alignment")) == digest(trained.path("alignment"))


def test_a_trained_phi_needs_no_annotations(plates: PlateWorld, features: Path, tmp_path: Path) -> None:
    phi = AlignmentClassifier(16)
    phi.fingerprint, phi.threshold = FeatureStore.open(features / "photos").fingerprint, 2.0
    (tmp_path / "phi").mkdir()
    phi.save(tmp_path / "phi")
    changes = {"alignment": Alignment(pretrained=tmp_path / "phi"), "data": {"annotations": None}}
    stages = build(plates, features, tmp_path / "out", **changes)
    assert load_s2(stages).empty and len(load_scores(stages))  # no confidence reaches 2
    assert load_labelled(stages) is None and facts_of(stages) == {"variant": "one layer on [v; s]", "threshold": 2.0}


def test_the_published_s2_stays_as_it_is(plates: PlateWorld, features: Path, tmp_path: Path) -> None:
    published = tmp_path / "data"
    published.mkdir()
    for path in plates.data.iterdir():
        (published / path.name).symlink_to(path)
    (published / "published.parquet").touch()
    stages = build(plates, features, tmp_path / "out", published, alignment=Alignment(epochs=2))
    assert load_s2(stages)["text"].tolist() == plates.s1["text"].tolist()


def test_without_labels_and_without_a_phi_the_cosine_does(plates: PlateWorld, features: Path, tmp_path: Path) -> None:
    stages = build(plates, features, tmp_path / "out", data={"annotations": None})
    phi, facts, scores = load_phi(stages), facts_of(stages), load_scores(stages)
    assert phi.variant == facts["variant"] == facts_of(stages, "phi")["variant"] == "CLIP cosine"
    assert facts["threshold"] == phi.threshold >= 0 and facts["compared_pairs"] > 300
    photos, texts = (FeatureStore.open(features / name) for name in ("photos", "sentences"))
    cosine = np.einsum("nd,nd->n", photos[scores["image_id"]], texts[scores["sentence_id"]])
    np.testing.assert_allclose(scores["confidence"], np.maximum(cosine, 0), atol=1e-6)
    s2 = load_s2(stages)
    assert 0 < len(s2) and (s2["image_ids"].map(len) > 0).all() and load_labelled(stages) is None
    assert not (tmp_path / "out" / "phi.safetensors").exists()


def test_one_business_alone_stops_nothing(plates: PlateWorld, features: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    plates.s1.assign(business_id="b").to_parquet(data / "s1.parquet")
    (data / "images.parquet").symlink_to(plates.data / "images.parquet")
    stages = build(plates, features, tmp_path / "out", data, data={"annotations": None})
    assert load_phi(stages).threshold == 0 and len(load_s2(stages)) == 45
    assert load_diversity(stages).differences["groups"].unique().tolist() == ["user"]


def test_annotations_are_found_where_the_settings_say(plates: PlateWorld, tmp_path: Path) -> None:
    found = find_annotations(plates.context(tmp_path))
    assert found["label"].tolist() == plates.annotations["label"].tolist()
    data = plates.settings.data.model_copy(update={"source": "demo"})
    (tmp_path / "annotations.csv").write_text("review_id,sentence,image_id,annotator,label\nr,s,p,a,1\n")
    demo = plates.context(tmp_path, plates.settings.model_copy(update={"data": data}), world=tmp_path)
    assert find_annotations(demo)["review_id"].tolist() == ["r"]


def test_features_of_another_clip_are_refused(plates: PlateWorld, features: Path, tmp_path: Path) -> None:
    other = save_small_clip(tmp_path / "other", quick_gelu=True)
    encoding = plates.settings.encoding.model_copy(update={"model": f"local-dir:{other}"})
    with pytest.raises(ValueError, match="of another CLIP"):
        build(plates, features, tmp_path / "out", encoding=encoding)


def test_variants_are_trained_on_the_same_pairs(trained: BuildContext) -> None:
    table = phi_variants(load_labelled(trained), load_settings("smoke", ["alignment.epochs=3"]))
    assert table.index.tolist() == [
        "one layer on [v; s]", "hidden layer on [v; s]", "one layer on [v; s; v∘s]", "hidden layer on [v; s; v∘s]",
        "CLIP cosine",
    ]  # fmt: skip
    assert table["pairs"].nunique() == 1 and table["auc"].between(0, 1).all()


def test_agreed_pairs_are_those_that_nobody_doubts() -> None:
    pairs = pd.DataFrame(
        [("r1", "a", "p1", 3, 3), ("r1", "b", "p1", 3, 2), ("r2", "a", "p2", 2, 2), ("r2", "c", "p9", 2, 2)],
        columns=["review_id", "sentence", "image_id", "votes", "positive"],
    )
    sentences = pd.DataFrame(
        [("r1#0", "r1", 0, "a"), ("r1#1", "r1", 1, "b"), ("r2#0", "r2", 0, "a"), ("r2#1", "r2", 1, "c")],
        columns=["sentence_id", "review_id", "index", "text"],
    )
    agreed = agreed_pairs(pairs, sentences, ["p1", "p2"], seed=0)
    assert sorted(agreed["sentence_id"]) == ["r1#0", "r2#0"]
