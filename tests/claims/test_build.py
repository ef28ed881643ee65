import json

import numpy as np
import pandas as pd
import pytest

from showcase_utils.claims.build import build_evaluation, distance_evidence, ngram_table, selection_evidence
from showcase_utils.claims.ledger import judge
from showcase_utils.config import Evaluation
from showcase_utils.demo_world.people import INGREDIENTS
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import AMBIENCES, CUISINES
from showcase_utils.metrics.generated import REFERENCE, Grounding, with_others, with_references

N = 24
DISHES = ("tacos", "burger", "ramen", "pizza")
FILES = {"metrics.csv", "comparisons.csv", "per_sample.parquet", "claims.json", "truth.json"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "truth"
    folder.mkdir()
    scenes = [Scene("dish", base, "shrimp", "grilled", ("avocado",), "pesto", "slate") for base in DISHES]
    photos = pd.DataFrame({"image_id": DISHES, "scene": [json.dumps(s.to_dict()) for s in scenes]})
    photos = photos.assign(business_id=[f"b{i}" for i in range(4)], alive=[True, True, True, False])
    tastes = {
        "cuisines": dict.fromkeys(CUISINES, 0.0),
        "ingredients": dict.fromkeys(INGREDIENTS, 0.0),
        "ambiences": dict.fromkeys(AMBIENCES, 0.0),
        "heat": 0.5,
        "price": 2.0,
    }
    users = pd.DataFrame({"user_id": [f"u{i}" for i in range(N // 2)], "tastes": json.dumps(tastes)})
    photos.to_parquet(folder / "photos.parquet")
    users.to_parquet(folder / "users.parquet")
    for name in ("sentences", "orders", "businesses", "annotators", "rows"):
        pd.DataFrame({"x": [0]}).to_parquet(folder / f"{name}.parquet")
    return folder.parent


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    base = pd.DataFrame({"review_id": [f"r{i:02d}" for i in range(N)]})
    base["user_id"] = [f"u{i // 2}" for i in range(N)]
    base["business_id"] = [f"b{i % 4}" for i in range(N)]
    base["image_ids"] = [list(rng.choice(DISHES, 2, replace=False)) for _ in range(N)]
    base["reference"] = [f"The {' and the '.join(ids)} were great." for ids in base["image_ids"]]
    good = base.assign(system="ours_pc2l", text=[f"the {ids[0]} were so great ." for ids in base["image_ids"]])
    bad = base.assign(system="ours_ce", text="i had the pizza and it was nice .")
    runs = [run.assign(seed=seed) for run in (bad, good) for seed in (0, 1)]
    return with_references(pd.concat(runs, ignore_index=True))


@pytest.fixture(scope="module")
def grounding(texts):
    confidence = [
        np.array([[0.9 if i in t else 0.1] for i in ids])
        for ids, t in zip(texts["image_ids"], texts["text"], strict=True)
    ]
    rng = np.random.default_rng(1)
    rows = len(texts)
    return Grounding(
        [rng.normal(size=(2, 4)) for _ in range(rows)], [rng.normal(size=(1, 4)) for _ in range(rows)], confidence
    )


@pytest.fixture(scope="module")
def selection():
    rng = np.random.default_rng(2)
    rows = []
    for method, profile, gain in (
        ("random", "none", 0.0),
        ("dpp", "img+text", 0.4),
        ("top_k_learned", "img+text", 0.4),
    ):
        for i in range(60):
            for split in ("val", "test"):
                rows.append({"method": method, "profile": profile, "seed": 0, "review_id": f"r{i:02d}",
                             "user_id": f"u{i}", "split": split, "evaluable": i > 5, "f1": gain + 0.1 * rng.random(),
                             "diversity": 0.5 + 0.2 * (method == "dpp") + 0.1 * rng.random()})  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def selected():
    rows = [("random", "none", seed, "test", f"u{i}", f"b{i}", [DISHES[i]]) for i in range(3) for seed in (0, 1)]
    columns = ["method", "profile", "seed", "split", "user_id", "business_id", "image_ids"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def settings(tiny_gpt2):
    return Evaluation(bertscore_model=tiny_gpt2, bootstrap=100)


def build(out, texts, grounding, settings, **options):
    out.mkdir(exist_ok=True)
    build_evaluation(out, texts, grounding, settings, seed=0, device="cpu", progress=False, **options)
    return out


@pytest.fixture(scope="module")
def stage(tmp_path_factory, texts, grounding, settings, world, selection, selected):
    out = tmp_path_factory.mktemp("evaluation")
    return build(out, texts, grounding, settings, world=world, selection=selection, selected=selected)


def test_every_system_has_every_metric_with_variant_and_interval(stage):
    assert {path.name for path in stage.iterdir()} == FILES
    metrics = pd.read_csv(stage / "metrics.csv").set_index(["metric", "system"])
    names = "BLEU-1 BLEU-4 METEOR NIST-4 ROUGE-L CIDEr-D Distinct-1 Distinct-2 BERTScore CLIP-Score CLIP-Align"
    assert {*names.split(), "Length", "Unique", "Hallucination"} <= set(metrics.index.levels[0])
    assert (
        metrics["variant"].notna().all()
        and (metrics["seeds"] == [1 if s == REFERENCE else 2 for _, s in metrics.index]).all()
    )
    assert (metrics["low"] <= metrics["value"] + 1e-9).all() and (metrics["value"] <= metrics["high"] + 1e-9).all()
    assert metrics.loc[("METEOR", "ours_pc2l"), "value"] > metrics.loc[("METEOR", "ours_ce"), "value"]
    assert ("METEOR", REFERENCE) not in metrics.index
    assert (
        metrics.loc[("Dish recall", REFERENCE), "value"] == 1
        and metrics.loc[("Hallucination", REFERENCE), "value"] == 0
    )
    assert metrics.loc[("Dish recall", "ours_pc2l"), "value"] == pytest.approx(0.5)


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


def test_claims_and_truth_are_strict_json(stage):
    claims = {row["key"]: row for row in json.loads((stage / "claims.json").read_text())}
    assert claims["1a"]["verdict"] == "reproduced" and claims["1d"]["verdict"] == "reproduced"
    assert claims["1e"]["verdict"] == "reproduced"  # no relevance was lost
    assert claims["1c"]["verdict"] == "not testable here"
    aligned = next(
        row for row in claims.values() if row["comparison"] == "ours_pc2l − ours_ce" and row["metric"] == "CLIP-Align"
    )
    assert aligned["verdict"] == "reproduced" and aligned["low"] > 0
    assert claims["5"]["verdict"] == "reproduced"  # Φ knows the truth here, the cosines are noise
    truth = json.loads((stage / "truth.json").read_text())
    assert truth["correlations"]["CLIP-Align"]["value"] == pytest.approx(1)
    assert abs(truth["correlations"]["CLIP-Score"]["value"]) < 0.5
    assert truth["difference"]["low"] > 0
    (row,) = truth["tastes"]  # one photo per business: nothing to gain, whoever chooses
    assert row["picks"] == "random" and row["value"] == row["chance"] == row["oracle"] and row["share_of_gain"] is None


def test_without_a_known_world_nothing_is_said_about_truth(tmp_path, texts, grounding, settings):
    stage = build(tmp_path / "a", texts, grounding, settings, missing={"peter": "not trained"})
    assert {path.name for path in stage.iterdir()} == FILES - {"truth.json"}
    claims = json.loads((stage / "claims.json").read_text())
    assert any(row["reason"] == "not trained" for row in claims)
    assert "Hallucination" not in set(pd.read_csv(stage / "metrics.csv")["metric"])


def test_same_seed_same_bytes_whatever_the_order_of_rows(tmp_path, texts, grounding, settings):
    one = build(tmp_path / "a", texts, grounding, settings)
    kept = pd.concat([run.iloc[::-1] for _, run in texts.groupby(["system", "seed"], sort=False)])
    two = build(tmp_path / "b", kept, grounding.take(kept.index), settings)
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_selection_is_paired_by_review_and_takes_only_choices(selection):
    found = selection_evidence(selection.sample(frac=1, random_state=0), rounds=50)
    evidence = found["dpp img+text", "random", "F1@3"]
    test = selection[(selection["split"] == "test") & selection["evaluable"]]
    means = test.groupby("method")["f1"].mean()
    assert evidence.first == pytest.approx(means["dpp"]) and evidence.second == pytest.approx(means["random"])
    assert evidence.difference.users == 54


def test_somebody_elses_texts_join_on_the_same_reviews(tmp_path, texts):
    ours = texts[texts["system"] != REFERENCE]
    assert with_others(ours, None) is ours
    reviews = sorted(set(ours["review_id"]))
    pd.DataFrame({"review_id": reviews, "text": "the ramen was nice ."}).to_csv(tmp_path / "theirs.csv", index=False)
    table = ngram_table(with_others(ours, tmp_path / "theirs.csv"), rounds=20).set_index(["metric", "system"])
    assert table.loc[("METEOR", "theirs"), "value"] > 0 and table.loc[("Unique", "theirs"), "value"] == 0
    (tmp_path / "theirs.csv").rename(tmp_path / "ours_ce.csv")
    with pytest.raises(ValueError, match="rename ours_ce.csv"):
        with_others(ours, tmp_path)


def test_distances_become_evidence_for_claim_two():
    kinds = ["intra business", "inter business", "intra user", "inter user"]
    means = pd.DataFrame({"mean": [0.2, 0.5, 0.3, 0.4]}, index=kinds)
    gaps = pd.DataFrame({"difference": [0.3, 0.1], "low": [0.2, -0.1], "high": [0.4, 0.3]}, index=["business", "user"])
    outcomes = {o.key: o for o in judge(distance_evidence(means, gaps))}
    assert outcomes["2a"].verdict == "reproduced" and outcomes["2a"].relative == pytest.approx(1.5)
    assert outcomes["2b"].verdict == "not reproduced"
