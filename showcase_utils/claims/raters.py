"""People and models that answered one rating sheet: what they prefer, how they agree, how they follow the truth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.claims.human import JUDGE, agreement, preferences
from showcase_utils.statistics.correlation import rank_correlations

PEOPLE = "people"


def rating_tables(
    answers: pd.DataFrame, per_sample: pd.DataFrame | None, **options: Any
) -> Iterator[tuple[str, pd.DataFrame]]:
    """What ``showcase rate`` tells, titles with tables; ``per_sample`` is that of a known world's evaluation, if any.

    People are taken together, every model stands alone: a model that rates a thousand texts outvotes nobody.
    """
    models = answers["rater"].str.startswith(JUDGE)
    for name, group in answers.groupby(answers["rater"].where(models, PEOPLE), sort=False):
        yield f"what {name} prefer" + ("" if name == PEOPLE else "s"), preferences(group, **options)
    if not models.all():
        yield "agreement of people", agreement(answers[~models], **options)
    yield "agreement with models", agreement_of_judges(answers, **options)
    if per_sample is not None:
        yield "ratings of alignment against the true alignment", agreement_with_truth(answers, per_sample, **options)


def agreement_of_judges(answers: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """α of every model with every other rater, by question that both have answered, with ``agreement``'s options."""
    raters = list(dict.fromkeys(answers["rater"]))
    pairs = [pair for pair in combinations(raters, 2) if any(rater.startswith(JUDGE) for rater in pair)]
    tables = [
        agreement(answers[answers["rater"].isin(pair)], **options)
        .query("raters == 2")
        .assign(rater=pair[0], other=pair[1])
        for pair in pairs
    ]
    columns = ["question", "rater", "other", "alpha", "low", "high"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def agreement_with_truth(answers: pd.DataFrame, per_sample: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Spearman's ρ of each rater's answers on visual alignment with the true alignment, which a known world has.

    ``per_sample`` as the stage *evaluation* writes it. Of two texts the difference of their true alignments counts.
    Columns: rater, rho, low, high (over reviews), judgements. Empty where nothing is known.
    """
    if "True alignment" not in per_sample:
        return pd.DataFrame()
    first = per_sample[per_sample["seed"] == per_sample.groupby("system")["seed"].transform("min")]
    known = first.set_index(["system", "review_id"])["True alignment"].to_dict()
    asked = answers[answers["question"] == "alignment"]
    sides = [asked[side] for side in ("system", "other") if side in asked]
    values = [[known.get(key, np.nan) for key in zip(side, asked["review_id"], strict=True)] for side in sides]
    truth = np.subtract(*map(np.array, values)) if len(values) == 2 else np.array(values[0], float)
    asked = asked.assign(truth=truth).dropna(subset="truth")
    rows = []
    for rater, group in asked.groupby("rater", sort=False):
        scores = {"rho": group["value"].to_numpy(float)}
        each, _ = rank_correlations(scores, group["truth"].to_numpy(float), group["review_id"].tolist(), **options)
        rho = each["rho"]
        rows.append({"rater": rater, "rho": rho.value, "low": rho.low, "high": rho.high, "judgements": len(group)})
    return pd.DataFrame(rows)
