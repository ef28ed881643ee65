"""What texts name: the noun phrases of a run's texts beside its photos, and how well the measure finds what is wrong.

The threshold comes from the annotations' validation part, never from the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from showcase_utils.alignment.labelled import load_labelled
from showcase_utils.alignment.phi import COSINE, Phi, load_phi
from showcase_utils.alignment.unlabelled import best_separation
from showcase_utils.artifacts import Stages
from showcase_utils.claims.known_world import named_things
from showcase_utils.data.entities import EntityFinder, entity_finder
from showcase_utils.data.frames import load_s1
from showcase_utils.demo_world.truth import Truth
from showcase_utils.encoding.clip import load_clip
from showcase_utils.encoding.features import FeatureStore, open_features
from showcase_utils.metrics.generated import REFERENCE, Features
from showcase_utils.metrics.metric import Floats
from showcase_utils.metrics.phrases import Named, Phrase, PhraseGrounder, Score, find_phrases
from showcase_utils.statistics.ranking import auc

REVIEWS = 20_000  # training reviews whose phrases make the vocabulary, at most
SEEN = 1000  # photos, on one of which Φ must find a visible phrase
OURS = "CLIP among the dataset's phrases"  # the measure, beside plainer ones


@dataclass(frozen=True)
class PhraseReader:
    """Finds the phrases of texts and grounds them: ``open_phrases`` makes it."""

    finder: EntityFinder
    grounder: PhraseGrounder
    photos: FeatureStore
    phi: Phi
    known: frozenset[str]

    def read(self, texts: pd.DataFrame) -> Named:
        """What each row of ``texts`` names beside its photos, and what its reference names."""
        references = find_phrases(self.finder, texts["reference"].str.lower().tolist())
        found = find_phrases(self.finder, texts["text"].tolist())
        words = [[phrase.text for phrase in row] for row in references]
        return Named(self.grounder.ground(found, self.beside(texts)), words, self.known)

    def beside(self, texts: pd.DataFrame) -> list[Features]:
        """Features of the photos of each row."""
        sets = {ids: self.photos[list(ids)] for ids in dict.fromkeys(map(tuple, texts["image_ids"]))}
        return [sets[tuple(image_ids)] for image_ids in texts["image_ids"]]

    def plainer(self) -> dict[str, Score]:
        """Other scores of phrases and photos, to compare with: Φ, and CLIP's cosine, shifted above 0."""

        def by_phi(phrases: Sequence[str], photos: Features) -> Floats:
            rows = self.grounder.features(phrases)
            pairs = np.repeat(rows, len(photos), axis=0), np.tile(photos, (len(rows), 1))
            return self.phi.score(pairs[1], pairs[0]).astype(np.float64).reshape(len(rows), len(photos))

        def by_cosine(phrases: Sequence[str], photos: Features) -> Floats:
            return 1 + (self.grounder.features(phrases) @ photos.T).astype(np.float64)

        cosine: dict[str, Score] = {"CLIP cosine": by_cosine}
        return cosine if self.phi.variant == COSINE else {"Φ": by_phi} | cosine


def open_phrases(stages: Stages) -> PhraseReader:
    """The reader of a run: its finder of entities, its CLIP and Φ, and the phrases of its training reviews."""
    settings, photos, phi = stages.settings, open_features(stages).photos, load_phi(stages)
    clip = load_clip(settings.encoding, settings.device)
    photos.check(clip.fingerprint)
    rng = np.random.default_rng(settings.seed)
    s1 = load_s1(stages)
    training = s1.loc[s1["split"] == "train", "text"].str.lower()
    training = training.iloc[np.sort(rng.permutation(len(training))[:REVIEWS])].tolist()
    finder = entity_finder(settings.generation.entities, settings.generation.spacy_model, training)
    corpus = [phrase.text for row in find_phrases(finder, training) for phrase in row]
    some = photos[rng.permutation(photos.ids)[:SEEN].tolist()]

    def visible(phrases: Features) -> np.ndarray:
        if phi.variant == COSINE:  # a cosine of "my mom" is as high as another
            return np.ones(len(phrases), bool)
        best = [phi.score(some, np.tile(phrase, (len(some), 1))).max(initial=0) for phrase in phrases]
        return np.array(best) >= phi.threshold

    scale = clip.model.logit_scale.exp().item()
    grounder = PhraseGrounder(clip.encode_texts, scale, visible, corpus)
    reader = PhraseReader(finder, grounder, photos, phi, frozenset(corpus))
    grounder.threshold = _calibrated(reader, stages, s1)
    return reader


def _calibrated(reader: PhraseReader, stages: Stages, s1: pd.DataFrame) -> float:
    """The odds that best separate what photos show from what they do not (Youden's index), on validation reviews.

    Positive are annotated sentences that describe one of their review's photos, by their best phrase; negative those
    that describe none, and all beside the photos of another review. Without annotations each phrase of the reviews
    themselves is taken for positive beside its own photos.
    """
    labelled = load_labelled(stages)
    if labelled:
        frame = labelled.frame
        frame = frame.assign(row=np.arange(len(frame)))[frame["split"] == "val"]
        sides = [
            (labelled.image[rows["row"].to_numpy()], rows.groupby("sentence", sort=True)["label"].max())
            for _, rows in frame.groupby("review_id", sort=True)
        ]
        photos = [np.unique(image, axis=0) for image, _ in sides]
        units = [
            (number, find_phrases(reader.finder, [sentence.lower()])[0], bool(label))
            for number, (_, labels) in enumerate(sides)
            for sentence, label in labels.items()
        ]
    else:
        own = s1[(s1["split"] == "val") & (s1["image_ids"].map(len) > 0)]
        photos = reader.beside(own)
        found = find_phrases(reader.finder, own["text"].str.lower().tolist())
        units = [(number, [phrase], True) for number, row in enumerate(found) for phrase in row]
    reader.grounder.learn(phrase.text for _, row, _ in units for phrase in row)
    label, odds = [], []
    for number, row, positive in units:
        names = [phrase.text for phrase in row if reader.grounder.sees(phrase.text)]
        if not names or len(photos) < 2:
            continue
        other = photos[(number + len(photos) // 2) % len(photos)]
        for shown, truly in ((photos[number], positive), (other, False)):
            label.append(truly)
            odds.append(reader.grounder.odds(names, shown).max())
    if not 0 < sum(label) < len(label):
        return 1.0  # nothing to learn from: as likely as all rivals together
    return best_separation(np.array(label, np.int64), np.array(odds))


def found_in_truth(
    truth: Truth, reader: PhraseReader, texts: pd.DataFrame, named: Named, **options: Any
) -> pd.DataFrame:
    """How well the grounding of phrases finds the dishes, drinks and desserts that no shown photo has.

    One row per score over all generated texts, and for ours one per system. Columns: score, system, value (the AUC)
    with its interval over users, things (named in the texts), hallucinated (their share), covered (share that some
    visible phrase names), and for ours at the calibrated threshold precision and recall of what is called hallucinated.
    """
    generated = np.flatnonzero((texts["system"] != REFERENCE).to_numpy())
    texts, phrases = texts.iloc[generated], [named.phrases[i] for i in generated]
    things = named_things(truth, texts)
    photos = reader.beside(texts)
    rows = []
    scores = {OURS: phrases} | {
        name: reader.grounder.ground(phrases, photos, score) for name, score in reader.plainer().items()
    }
    for name, scored in scores.items():
        confidence = np.array([_beside(scored[row], start, end) for row, start, end in
                               things[["row", "start", "end"]].itertuples(index=False)])  # fmt: skip
        every = things.assign(confidence=confidence, system=texts["system"].to_numpy()[things["row"]],
                              user=texts["user_id"].to_numpy()[things["row"]])  # fmt: skip
        parts = {"all": every}
        if name == OURS:
            parts |= dict(tuple(every.groupby("system", sort=False)))
        for system, part in parts.items():
            known = part.dropna(subset="confidence")
            wrong = ~known["shown"].to_numpy(bool)
            found = auc(wrong, -known["confidence"].to_numpy(), known["user"].tolist(), **options)
            row = {"score": name, "system": system, "value": found.value, "low": found.low, "high": found.high}
            row |= {"things": len(part), "hallucinated": 1 - part["shown"].mean(), "covered": len(known) / len(part)}
            if name == OURS:
                called = known["confidence"].to_numpy() < 0.5
                hits = (called & wrong).sum()
                row |= {"precision": hits / max(called.sum(), 1), "recall": hits / max(wrong.sum(), 1)}
            rows.append(row)
    return pd.DataFrame(rows)


def phrase_frame(texts: pd.DataFrame, named: Named) -> pd.DataFrame:
    """Every phrase of every text: system, seed, review_id, phrase, start, end, confidence, grounded.

    ``confidence`` is ``nan`` and ``grounded`` false for a phrase that no photo can show.
    """
    runs = texts[["system", "seed", "review_id"]].itertuples(index=False)
    rows = [(*run, *phrase) for run, row in zip(runs, named.phrases, strict=True) for phrase in row]
    frame = pd.DataFrame(rows, columns=["system", "seed", "review_id", "phrase", "start", "end", "confidence"])
    return frame.sort_values(["system", "seed", "review_id", "start"], ignore_index=True).assign(
        grounded=lambda phrases: phrases["confidence"] >= 0.5
    )


def _beside(phrases: Sequence[Phrase], start: int, end: int) -> float:
    """Confidence of the last phrase that overlaps a span, whose head it is; ``nan`` without one."""
    over = [phrase.confidence for phrase in phrases if phrase.start < end and phrase.end > start]
    return over[-1] if over else float("nan")
