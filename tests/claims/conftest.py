"""A made-up evaluation: four dishes, two systems of two seeds, two ways of telling, and a world that knows them."""

import json

import numpy as np
import pandas as pd
import pytest

from showcase_utils.alignment.frames import Diversity
from showcase_utils.claims.build import Given, evaluate
from showcase_utils.config import Settings
from showcase_utils.demo_world.people import INGREDIENTS
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.truth import load_truth
from showcase_utils.demo_world.vocabulary import AMBIENCES, CUISINES
from showcase_utils.metrics.generated import Grounding, with_references
from showcase_utils.metrics.phrases import Named, Phrase
from tests.metrics.conftest import tiny_gpt2

__all__ = ["tiny_gpt2"]

N = 24
DISHES = ("tacos", "burger", "ramen", "pizza")


@pytest.fixture(scope="session")
def truth(tmp_path_factory):
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
    return load_truth(folder.parent)


@pytest.fixture(scope="session")
def texts():
    rng = np.random.default_rng(0)
    base = pd.DataFrame({"review_id": [f"r{i:02d}" for i in range(N)]})
    base["user_id"] = [f"u{i // 2}" for i in range(N)]
    base["business_id"] = [f"b{i % 4}" for i in range(N)]
    base["image_ids"] = [list(rng.choice(DISHES, 2, replace=False)) for _ in range(N)]
    base["reference"] = [f"The {' and the '.join(ids)} were great." for ids in base["image_ids"]]
    good = base.assign(system="ours_pc2l", text=[f"the {ids[0]} were so great ." for ids in base["image_ids"]])
    bad = base.assign(system="ours_ce", text="i had the pizza and it was okay .")
    both = [f"the {ids[0]} were so great . the {ids[1]} were good ." for ids in base["image_ids"]]
    runs = [run.assign(seed=seed) for run in (bad, good) for seed in (0, 1)]
    runs += [base.assign(system="told_one", text=good["text"], seed=0)]
    runs += [base.assign(system="told_two", text=both, seed=0)]
    runs += [base.assign(system="floor_neighbour", text="the burger was amazing .", seed=0)]
    return with_references(pd.concat(runs, ignore_index=True))


@pytest.fixture(scope="session")
def grounding(texts):
    confidence = [
        np.array([[0.9 if i in t else 0.1] for i in ids])
        for ids, t in zip(texts["image_ids"], texts["text"], strict=True)
    ]
    rng, rows = np.random.default_rng(1), len(texts)
    photos, sentences = ([rng.normal(size=(n, 4)) for _ in range(rows)] for n in (2, 1))
    return Grounding(photos, sentences, confidence, "one layer on [v; s]")


def named(texts):
    """The dishes that texts name, grounded where a photo beside them is of that dish."""

    def phrases(text, image_ids):
        found = [
            Phrase(d, text.index(d), text.index(d) + len(d), 0.9 if d in image_ids else 0.1)
            for d in DISHES
            if d in text
        ]
        return sorted(found, key=lambda phrase: phrase.start)

    rows = [phrases(*row) for row in zip(texts["text"].str.lower(), texts["image_ids"], strict=True)]
    return Named(rows, [[d for d in DISHES if d in text.lower()] for text in texts["reference"]], frozenset(DISHES))


@pytest.fixture(scope="session")
def selection():
    """Scores of step 1: dpp and relevance beat chance by 0.4, the DPP is more diverse; two seeds each."""
    rng = np.random.default_rng(2)
    rows = []
    methods = (("random", "none", 0.0), ("dpp", "img+text", 0.4), ("top_k_learned", "img+text", 0.4))
    for method, profile, gain in methods:
        for i in range(60):
            for split, seed in (("val", 0), ("test", 0), ("test", 1)):
                rows.append({"method": method, "profile": profile, "seed": seed, "review_id": f"r{i:02d}",
                             "user_id": f"u{i}", "split": split, "evaluable": i > 5, "f1": gain + 0.1 * rng.random(),
                             "diversity": 0.5 + 0.2 * (method == "dpp") + 0.1 * rng.random()})  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def diversity():
    rows = [("business", "any", 0.6, 0.1), ("business", "different", 0.5, 0.2), ("user", "any", 0.5, 0.2),
            ("user", "different", 0.4, 0.35)]  # fmt: skip
    differences = pd.DataFrame(rows, columns=["groups", "reviews", "inter", "intra"])
    differences["difference"] = differences["inter"] - differences["intra"]
    differences = differences.assign(low=differences["difference"] - 0.1, high=differences["difference"] + 0.1)
    return Diversity(pd.DataFrame(), pd.DataFrame(), differences.assign(standard_error=0.05))


@pytest.fixture(scope="session")
def settings(tiny_gpt2):
    evaluation = {"bertscore_model": tiny_gpt2, "bootstrap": 100}
    generation = {"systems": ["ours_ce", "ours_pc2l"]}
    return Settings(profile="made_up", evaluation=evaluation, device="cpu", generation=generation)


@pytest.fixture(scope="session")
def given(texts, grounding, selection, diversity, truth):
    return Given(texts, grounding, selection, diversity, truth, named(texts))


@pytest.fixture(scope="session")
def stage(tmp_path_factory, given, settings):
    """The folder of the stage, without what needs the stages before it."""
    out = tmp_path_factory.mktemp("evaluation")
    evaluate(out, given, settings, progress=False)
    return out
