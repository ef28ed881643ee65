"""Statement-level precision and recall: what a text says that the user's review bears out, and the other way round.

A text is cut into atomic statements, and a model of natural language inference says of each whether the other text
entails it (FActScore, Min et al. 2023, asks the same of a source of knowledge).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from showcase_utils.data.sentences import split_sentences
from showcase_utils.devices import resolve_device
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.metric import Metric
from showcase_utils.metrics.models import quiet_loading
from showcase_utils.metrics.text import check_pairs
from showcase_utils.weights import check_finite

LABELS = ("entailment", "neutral", "contradiction")
SHORTEST = 3  # words of a statement; what is shorter ("but pricey") stays with its neighbour
BATCH = 64
_JOINTS = re.compile(r"\s*[;:]\s+|,?\s+(?:but|although|though|while|whereas|because|however|so)\s+|,\s+and\s+")


def statements(texts: Sequence[str]) -> list[list[str]]:
    """The statements of each text: its sentences, cut where a conjunction or a sign joins clauses.

    A part of fewer than three words is no statement, so "good but pricey" stays whole.
    """
    return [[one for sentence in row for one in _clauses(sentence)] for row in split_sentences(texts)]


def _clauses(sentence: str) -> list[str]:
    clauses, start = [], 0
    for joint in _JOINTS.finditer(sentence):
        if min(len(part.split()) for part in (sentence[start : joint.start()], sentence[joint.end() :])) >= SHORTEST:
            clauses.append(sentence[start : joint.start()])
            start = joint.end()
    return [*clauses, sentence[start:]]


class Entailment:
    """A model of ``AutoModelForSequenceClassification`` that tells entailment, by a hub's name or as a folder.

    What its outputs mean is read from its config (``id2label``), in any order. Raises ``ValueError`` for a model whose
    labels are not entailment, neutral and contradiction, or that brings code of its own, and ``OSError`` for one that
    is not there: with ``HF_HUB_OFFLINE`` set, or for a folder, nothing is fetched.
    """

    def __init__(self, model: str, device: str = "auto", batch_size: int = BATCH) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        local = Path(model).is_absolute()
        with quiet_loading():
            options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
            self.tokenizer = AutoTokenizer.from_pretrained(model, **options)
            network = AutoModelForSequenceClassification.from_pretrained(model, **options)
        check_finite(network, f"the model of entailment '{model}'")
        names = {str(label).lower(): number for number, label in network.config.id2label.items()}
        if set(names) != set(LABELS):
            raise ValueError(f"'{model}' tells {', '.join(names)}, not {', '.join(LABELS)}: evaluation.nli wants those")
        self.entailed, self.batch_size = int(names["entailment"]), batch_size
        self.network = network.to(resolve_device(device)).eval()
        limit = getattr(network.config, "max_position_embeddings", None) or self.tokenizer.model_max_length
        limit -= 2 if network.config.model_type in {"roberta", "xlm-roberta", "camembert"} else 0
        self.limit = min(self.tokenizer.model_max_length, limit)
        self.name = Path(model).name if local else model

    @torch.inference_mode()
    def entails(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Whether the first text of each pair entails the second, ``(n,)``; equal pairs are asked once."""
        different = sorted(dict.fromkeys(pairs), key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
        found: dict[tuple[str, str], bool] = {}
        for start in range(0, len(different), self.batch_size):
            batch = different[start : start + self.batch_size]
            inputs = self.tokenizer(
                [premise for premise, _ in batch],
                [hypothesis for _, hypothesis in batch],
                padding=True,
                truncation="longest_first",
                max_length=self.limit,
                return_tensors="pt",
            ).to(self.network.device)
            likeliest = self.network(**inputs).logits.argmax(dim=-1).cpu()
            found |= {pair: bool(label == self.entailed) for pair, label in zip(batch, likeliest, strict=True)}
        return np.array([found[pair] for pair in pairs], bool)


@lru_cache(maxsize=1)  # a table asks one model about a dozen systems
def open_entailment(model: str, device: str = "auto") -> Entailment:
    """The model of entailment, read once."""
    return Entailment(model, device)


def statement_metrics(hypotheses: Sequence[str], references: Sequence[str], nli: Entailment) -> dict[str, Metric]:
    """Statement precision (of the text's, what the review entails) and recall (of the review's, what the text does).

    Means over texts, 0 to 1; ``nan`` per sample without a statement.
    """
    check_pairs(hypotheses, references)
    sides = {"Statement precision": (hypotheses, references), "Statement recall": (references, hypotheses)}
    found: dict[str, Metric] = {}
    for name, (told, known) in sides.items():
        cut = statements(told)
        entailed = nli.entails([(premise, one) for premise, row in zip(known, cut, strict=True) for one in row])
        parts = np.split(entailed, np.cumsum([len(row) for row in cut])[:-1])
        shares = np.array([part.mean() if len(part) else math.nan for part in parts])
        whose = "text's statements that the review" if told is hypotheses else "review's statements that the text"
        found[name] = mean_metric(shares, f"{whose} entails, by {nli.name}, clauses, mean over texts, 0–1")
    return found
