import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.phi import COSINE
from showcase_utils.claims.build import evaluate, taste_table
from showcase_utils.metrics.generated import REFERENCE
from tests.claims.conftest import DISHES

FILES = {"metrics.csv", "comparisons.csv", "ladder.csv", "per_sample.parquet", "phrases.parquet", "claims.json",
         "truth.json"}  # fmt: skip


def build(out, given, settings):
    out.mkdir(exist_ok=True)
    evaluate(out, given, settings, progress=False)
    return out


def claims_of(stage):
    return {row["key"]: row for row in json.loads((stage / "claims.json").read_text())}


@pytest.fixture(scope="module")
def few(given):
    """Two systems of one seed, for what does not depend on how many there are."""
    kept = given.texts[given.texts["system"].isin(["ours_ce", "ours_pc2l"]) & (given.texts["seed"] == 0)]
    grounding = given.grounding.take(kept.index)
    named = given.named.take(kept.index)
    return dataclasses.replace(given, texts=kept.reset_index(drop=True), grounding=grounding, named=named)


def test_every_system_has_every_metric_with_variant_and_interval(stage):
    assert {path.name for path in stage.iterdir()} == FILES
    metrics = pd.read_csv(stage / "metrics.csv").set_index(["metric", "system"])
    names = "BLEU-1 BLEU-4 METEOR NIST-4 ROUGE-L CIDEr-D Distinct-1 Distinct-2 BERTScore CLIP-Score CLIP-Align"
    assert {*names.split(), "Length", "Unique", "Sentences", "Hallucination", "Right"} <= set(metrics.index.levels[0])
    assert metrics["variant"].notna().all()
    assert metrics.loc["METEOR", "seeds"].to_dict() == {
        "ours_ce": 2, "ours_pc2l": 2, "told_one": 1, "told_two": 1, "floor_neighbour": 1
    }  # fmt: skip
    known = metrics[metrics["value"].notna()]
    assert (known["low"] <= known["value"] + 1e-9).all() and (known["value"] <= known["high"] + 1e-9).all()
    assert metrics.loc[("METEOR", "ours_pc2l"), "value"] > metrics.loc[("METEOR", "ours_ce"), "value"]
    assert ("METEOR", REFERENCE) not in metrics.index
    assert metrics.loc[("Dish recall", REFERENCE), "value"] == metrics.loc[("Right", REFERENCE), "value"] == 1
    assert metrics.loc[("Dish recall", "ours_pc2l"), "value"] == pytest.approx(0.5)
    assert metrics.loc["Tone against", "value"].to_dict() == {
        "ours_ce": 1, "ours_pc2l": 0, "told_one": 0, "told_two": 0, "floor_neighbour": 0, REFERENCE: 0
    }  # fmt: skip
    assert metrics.loc[("Same text", "ours_ce"), "value"] == 1
    assert metrics.loc["FMR", "value"].to_dict() == pytest.approx(
        metrics.loc["Dish recall", "value"].drop(REFERENCE).to_dict()
    )  # the photos show what the review names
    assert metrics.loc["FCR", "value"].drop("ours_ce").drop("floor_neighbour").eq(1).all()
    assert metrics.loc[("FCR", "ours_ce"), "value"] == 1 / 4 and metrics.loc[("DIV", "ours_ce"), "value"] == 1
    assert metrics.loc["Grounded", "value"].to_dict() == pytest.approx(metrics.loc["Right", "value"].to_dict())
    assert metrics.loc[("Least grounded", "told_two"), "value"] == pytest.approx(0.9)
    phrases = pd.read_parquet(stage / "phrases.parquet")
    assert phrases[phrases["system"] == "told_one"].groupby("review_id").size().eq(1).all()
    assert "one layer on [v; s]" in metrics.loc[("CLIP-Align", "ours_ce"), "variant"]


def test_systems_are_compared_with_corrected_p_values(stage):
    table = pd.read_csv(stage / "comparisons.csv").set_index(["metric", "second"])
    row = table.loc[("CLIP-Align", "ours_ce")]
    assert row["first"] == "ours_pc2l" and row["low"] > 0 and row["p_holm"] >= row["p_value"] and row["detectable"] > 0
    assert REFERENCE not in table.index.get_level_values("second")


def test_samples_are_kept_one_by_one(stage, texts):
    samples = pd.read_parquet(stage / "per_sample.parquet")
    assert len(samples) == len(texts)
    first = samples[(samples["system"] == "ours_pc2l") & (samples["seed"] == 0)]
    assert first["review_id"].is_monotonic_increasing
    np.testing.assert_allclose(first["CLIP-Align"], 0.5)


def test_the_ladder_leads_from_the_greedy_line_over_each_step_to_the_neighbour(stage):
    ladder = pd.read_csv(stage / "ladder.csv")
    steps = ladder.drop_duplicates("step")["system"].tolist()
    assert steps == ["ours_pc2l", "told_one", "told_two", "floor_neighbour"]
    recall = ladder[ladder["metric"] == "Dish recall"].set_index("system")
    assert pd.isna(recall.loc["ours_pc2l", "gain"]) and recall.loc["told_one", "gain"] == 0
    assert recall.loc["told_two", "gain"] == pytest.approx(0.5) and recall.loc["told_two", "gain_low"] > 0
    assert recall.loc["floor_neighbour", "gain_high"] < 0


def test_claims_and_truth_are_strict_json(stage):
    claims = claims_of(stage)
    assert claims["1a"]["verdict"] == "reproduced" and claims["1d"]["verdict"] == "reproduced"
    assert claims["1e"]["verdict"] == "reproduced"  # no relevance was lost
    assert claims["1c"]["verdict"] == "not testable here"
    assert (claims["2a"]["verdict"], claims["2b"]["verdict"]) == ("reproduced", "not reproduced")
    aligned = next(
        row for row in claims.values() if row["comparison"] == "ours_pc2l − ours_ce" and row["metric"] == "CLIP-Align"
    )
    assert aligned["verdict"] == "reproduced" and aligned["low"] > 0
    assert claims["5"]["verdict"] == "reproduced"  # Φ knows the truth here, the cosines are noise
    assert "peter is not among generation.systems" in {row["reason"] for row in claims.values()}
    truth = json.loads((stage / "truth.json").read_text())
    assert truth["correlations"]["CLIP-Align"]["value"] > 0.9
    assert abs(truth["correlations"]["CLIP-Score"]["value"]) < 0.5
    assert truth["difference"]["low"] > 0


def test_labels_follow_k_and_intervals_follow_the_confidence(tmp_path, stage, few, settings):
    evaluation = settings.evaluation.model_copy(update={"confidence": 0.5})
    five = settings.model_copy(
        update={"selection": settings.selection.model_copy(update={"k": 5}), "evaluation": evaluation}
    )
    claims, wide = claims_of(build(tmp_path / "five", few, five)), claims_of(stage)
    assert {claims[key]["metric"] for key in ("1a", "1b", "1c", "1e")} == {"F1@5"} and claims["1d"]["metric"] == "Div@5"
    assert claims["1a"]["verdict"] == "reproduced"
    assert claims["1a"]["high"] - claims["1a"]["low"] < 0.6 * (wide["1a"]["high"] - wide["1a"]["low"])


def test_without_a_known_world_nothing_is_said_about_truth(tmp_path, few, settings):
    stage = build(tmp_path / "a", dataclasses.replace(few, truth=None), settings)
    assert {path.name for path in stage.iterdir()} == FILES - {"truth.json"}
    assert claims_of(stage)["5"]["reason"] == "true alignment is known in the demo world only"
    metrics = set(pd.read_csv(stage / "metrics.csv")["metric"])
    assert not {"Right", "Hallucination", "Tone against"} & metrics and {"Same text", "Sentences"} <= metrics


def test_a_cosine_in_the_place_of_phi_cannot_be_better_than_itself(tmp_path, few, settings):
    grounding = dataclasses.replace(few.grounding, phi=COSINE)
    claim = claims_of(build(tmp_path / "a", dataclasses.replace(few, grounding=grounding), settings))["5"]
    assert claim["verdict"] == "not testable here" and "cosine" in claim["reason"]


def test_same_seed_same_bytes_whatever_the_order_of_rows(tmp_path, few, settings):
    one = build(tmp_path / "a", few, settings)
    kept = pd.concat([run.iloc[::-1] for _, run in few.texts.groupby(["system", "seed"], sort=False)])
    grounding, named = few.grounding.take(kept.index), few.named.take(kept.index)
    shuffled = dataclasses.replace(few, texts=kept, grounding=grounding, named=named)
    two = build(tmp_path / "b", shuffled, settings)
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_where_there_is_one_photo_nothing_is_gained_whoever_chooses(truth):
    rows = [
        (method, "none", seed, "test", f"u{i}", f"b{i}", [DISHES[i]])
        for method in ("random", "oracle")
        for i in range(3)
        for seed in (0, 1)
    ]
    selected = pd.DataFrame(rows, columns=["method", "profile", "seed", "split", "user_id", "business_id", "image_ids"])
    table = taste_table(truth, selected, rounds=20)
    assert table["picks"].tolist() == ["random", "own photos"]  # "oracle" would be taken for what is liked best
    row = table.iloc[0]
    assert row["value"] == row["chance"] == row["best_liked"] and np.isnan(row["share_of_gain"])
