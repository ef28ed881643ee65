"""Reviews and pairs to look at: what people agree on, and what distillation keeps and drops."""

from __future__ import annotations

import pandas as pd


def agreed_pairs(pairs: pd.DataFrame, sentences: pd.DataFrame, image_ids: list[str], seed: int) -> pd.DataFrame:
    """The labelled pairs that all annotators say belong together, in random order: sentence_id, sentence, image_id.

    ``pairs`` as ``majority_vote`` gives them; only sentences of ``sentences`` and photos of ``image_ids``, that is,
    those that have features.
    """
    agreed = pairs[(pairs["positive"] == pairs["votes"]) & pairs["image_id"].isin(image_ids)]
    agreed = agreed.merge(sentences.rename(columns={"text": "sentence"}), on=["review_id", "sentence"])
    return agreed.sample(frac=1, random_state=seed, ignore_index=True)


def example_reviews(
    reviews: pd.DataFrame, sentences: pd.DataFrame, scores: pd.DataFrame, threshold: float, seed: int, each: int = 2
) -> pd.DataFrame:
    """Some of ``reviews`` that show what distillation does, up to ``each`` of three kinds, drawn at random.

    In this order: some sentences stay, others go, and every photo stays; something stays, but not every photo; nothing
    stays.
    """
    stays = scores[scores["confidence"] >= threshold]
    kept = sentences["sentence_id"].isin(stays["sentence_id"]).groupby(sentences["review_id"]).mean()
    share = reviews["review_id"].map(kept)  # of its sentences; nan where there is none to show
    supported, drawn = set(stays["image_id"]), []
    whole = reviews["image_ids"].map(supported.issuperset).astype(bool)
    for kind in ((share > 0) & (share < 1) & whole, (share > 0) & ~whole, share == 0):
        drawn.append(reviews[kind].sample(frac=1, random_state=seed)[:each])
    return pd.concat(drawn)


def before_and_after(
    reviews: pd.DataFrame, sentences: pd.DataFrame, scores: pd.DataFrame, images: pd.DataFrame
) -> tuple[list[list[tuple[str, float]]], list[list[tuple[str, float]]]]:
    """Per review its sentences and the paths of its photos, each with Φ's highest confidence: for a page of both."""
    by_sentence = scores.groupby("sentence_id")["confidence"].max()
    by_photo = scores.groupby("image_id")["confidence"].max()
    paths = images.drop_duplicates("image_id").set_index("image_id")["path"]
    rows = sentences[sentences["review_id"].isin(reviews["review_id"])].groupby("review_id")
    texts = [
        [
            (text, float(by_sentence.get(key, 0)))
            for key, text in rows.get_group(key)[["sentence_id", "text"]].to_numpy()
        ]
        for key in reviews["review_id"]
    ]
    photos = [[(paths[key], float(by_photo.get(key, 0))) for key in ids] for ids in reviews["image_ids"]]
    return texts, photos
