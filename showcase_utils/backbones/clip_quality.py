"""What the embedded CLIP is worth: whether it finds the right text, and its features hold what a photo shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from showcase_utils.backbones.albums import Album, labels, term_columns
from showcase_utils.backbones.captions import ATTRIBUTES, full_caption
from showcase_utils.backbones.clip_training import SeesTerms
from showcase_utils.demo_world.naming import names

AMONG = 100  # pairs in a group of retrieval
SCALE = 16.0  # features of unit norm in 256 dimensions, times this, have entries of about 1: what a probe likes
FIRST_EYE = {"image_size": 64, "layers": 4, "width": 192, "head_width": 64, "patch_size": 8}  # of the first version


def measure(folder: Path, learned: Album, held_out: Album, seed: int) -> dict:
    """All that the card says of the model in ``folder``, as stored.

    Retrieval, probes (fitted on ``learned``, tested on ``held_out``), speed.
    """
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    fitted, tested = (see(model, preprocess, album) for album in (learned, held_out))
    return {
        "probe": probes(fitted, learned, tested, held_out),
        **retrieval(tested, lambda texts: read(model, tokenizer, texts), held_out, seed),
        "speed_ratio": speed_ratio(model.visual),
    }


@torch.inference_mode()
def see(model: nn.Module, preprocess: Callable[..., Tensor], album: Album) -> np.ndarray:
    """Features of an album's photos, (n, d) of unit norm."""
    parts = []
    for start in range(0, len(album), 256):
        rows = range(start, min(start + 256, len(album)))
        images = torch.stack([preprocess(album.image(i)) for i in rows])
        parts.append(model.encode_image(images, normalize=True))
    return torch.cat(parts).numpy()


@torch.inference_mode()
def read(model: nn.Module, tokenizer: Callable[..., Tensor], texts: Sequence[str]) -> np.ndarray:
    """Features of texts, (n, d) of unit norm."""
    return model.encode_text(tokenizer(list(texts)), normalize=True).numpy()


def probes(fitted: np.ndarray, learned: Album, tested: np.ndarray, held_out: Album) -> dict[str, float]:
    """What logistic regressions on the features of one city read in those of another.

    Accuracy per attribute, for toppings F1 over all of them (a photo has up to three).
    """
    scores = {}
    for attribute in ATTRIBUTES:
        known, true = labels(learned.scenes, attribute), labels(held_out.scenes, attribute)
        if attribute == "toppings":
            scores[attribute] = _toppings_probe(fitted, known, tested, true)
            continue
        ours, theirs = known >= 0, true >= 0
        if not ours.any() or not theirs.any() or len(set(known[ours])) < 2:
            continue
        probe = LogisticRegression(C=1.0, max_iter=200).fit(SCALE * fitted[ours], known[ours])
        scores[attribute] = float((probe.predict(SCALE * tested[theirs]) == true[theirs]).mean())
    return scores


def _toppings_probe(fitted: np.ndarray, known: np.ndarray, tested: np.ndarray, true: np.ndarray) -> float:
    ours, theirs = known.any(axis=1), true.any(axis=1)
    said = np.zeros_like(true[theirs])
    for column in np.flatnonzero(known[ours].any(axis=0)):
        probe = LogisticRegression(C=1.0, max_iter=200).fit(SCALE * fitted[ours], known[ours, column])
        said[:, column] = probe.predict(SCALE * tested[theirs])
    return _f1(said, true[theirs])


def _f1(said: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (said * true).sum() / max(1.0, said.sum() + true.sum()))


@torch.inference_mode()
def ceiling(visual: nn.Module, terms: SeesTerms, preprocess: Callable[..., Tensor], album: Album) -> dict[str, float]:
    """What a tower that was trained on the truth's terms, and on nothing else, reads in a city that it does not know.

    Measured as ``probes`` are.
    """
    visual.eval()
    logits = []
    for start in range(0, len(album), 256):
        images = [preprocess(album.image(i)) for i in range(start, min(start + 256, len(album)))]
        logits.append(terms(visual(torch.stack(images))))
    said = torch.cat(logits).numpy()
    scores = {}
    for attribute in ATTRIBUTES:
        true, ours = labels(album.scenes, attribute), said[:, term_columns(attribute)]
        if attribute == "toppings":
            some = true.any(axis=1)
            scores[attribute] = _f1((ours[some] > 0).astype(float), true[some])
        elif (true >= 0).any():
            scores[attribute] = float((ours.argmax(axis=1) == true)[true >= 0].mean())
    return scores


def retrieval(
    images: np.ndarray, read: Callable[[Sequence[str]], np.ndarray], album: Album, seed: int
) -> dict[str, float]:
    """Recall@1 among 100 pairs, both ways, over disjoint groups; chance is about 0.01.

    ``caption``: full captions; right is one of the same scene, since the same dish has the same caption. ``sentence``:
    a sentence from the photo's review; ``…_strict`` wants the very sentence, the other one that names what is shown.
    Raises ``ValueError`` for an album with fewer than 100 described photos.
    """
    rng, numbers = np.random.default_rng(seed), album.scene_numbers()
    captions = read([full_caption(scene) for scene in album.scenes])
    same = lambda rows, columns: numbers[rows] == numbers[columns]  # noqa: E731
    found = _recall(images, captions, rng.permutation(len(album)), same, "caption")
    told = np.flatnonzero([len(sentences) > 0 for sentences in album.sentences])
    first = {int(i): album.sentences[i][0] for i in told}
    sentences = np.zeros_like(images)
    sentences[told] = read([first[int(i)] for i in told])
    order = rng.permutation(told)
    found |= _recall(images, sentences, order, lambda rows, columns: rows == columns, "sentence_strict")
    truly = lambda rows, columns: np.array(  # noqa: E731
        [names(first[int(c)], album.scenes[int(r)]) for r, c in zip(rows, columns, strict=True)]
    )
    return found | _recall(images, sentences, order, truly, "sentence")


def _recall(
    images: np.ndarray, texts: np.ndarray, order: np.ndarray, right: Callable[..., np.ndarray], name: str
) -> dict[str, float]:
    hits, count = np.zeros(2), len(order) // AMONG * AMONG
    if not count:
        raise ValueError(f"retrieval among {AMONG} needs as many described photos, the held-out world has {len(order)}")
    for group in order[:count].reshape(-1, AMONG):
        scores = images[group] @ texts[group].T
        hits += [right(group, group[scores.argmax(1)]).sum(), right(group[scores.argmax(0)], group).sum()]
    return {f"{name}_image_to_text_r1": float(hits[0] / count), f"{name}_text_to_image_r1": float(hits[1] / count)}


@torch.inference_mode()
def speed_ratio(visual: nn.Module, repeats: int = 5) -> float:
    """Photos per second of ``visual`` over those of the first embedded CLIP's tower, pixels in memory, in turn."""
    first = open_clip.CLIP(128, dict(FIRST_EYE), {"vocab_size": 8, "width": 8, "heads": 1, "layers": 1}).visual.eval()
    side = int(np.atleast_1d(visual.image_size)[0])
    eyes = {eye: torch.randn(64, 3, pixels, pixels) for eye, pixels in ((first, 64), (visual, side))}
    seconds: dict[nn.Module, list[float]] = {eye: [] for eye in eyes}
    for _ in range(repeats + 1):
        for eye, images in eyes.items():
            started = time.perf_counter()
            eye(images)
            seconds[eye].append(time.perf_counter() - started)
    return min(seconds[first][1:]) / min(seconds[visual][1:])
