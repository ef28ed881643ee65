"""The one choice that generation, texts and the product show: which method's photos, of which profile and seed."""

from __future__ import annotations

import pandas as pd

from showcase_utils.artifacts import Stages
from showcase_utils.config import Selection
from showcase_utils.data.frames import load_reviews

CHOSEN = "chosen.parquet"
NONE = "none"  # the profile of methods that know no user
COLUMNS = ("review_id", "user_id", "business_id", "split", "image_ids", "method", "profile", "seed")


def load_chosen(stages: Stages) -> pd.DataFrame:
    """The photos shown for every review of validation and test; ``image_ids`` are lists, in the order of the picks.

    Columns: review_id, user_id, business_id, split, image_ids, method, profile, seed.
    """
    return load_reviews(stages.path("selection") / CHOSEN)


def widest_profile(settings: Selection) -> str:
    """The profile that knows most of the user: ``img+text`` where it is among the trained ones."""
    return max(settings.profiles, key=len)


def shown_choice(selected: pd.DataFrame, settings: Selection) -> pd.DataFrame:
    """The rows of ``selected`` (as in selected.parquet) that ``shown_method`` and ``shown_profile`` ask for.

    A method that knows no user has one profile only; of several seeds the first counts. Raises ``ValueError`` for a
    profile that is not in ``selected``.
    """
    mine = selected[selected["method"] == settings.shown_method]
    wanted = settings.shown_profile or widest_profile(settings)
    rows = mine[mine["profile"].isin([wanted, NONE])]
    if rows.empty:
        raise ValueError(f"selection.shown_profile = {wanted}: selection.profiles are {', '.join(settings.profiles)}")
    return rows[rows["seed"] == rows["seed"].iloc[0]][list(COLUMNS)].reset_index(drop=True)
