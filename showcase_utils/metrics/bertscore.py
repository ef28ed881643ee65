"""BERTScore (Zhang et al. 2020) by bert-score, with any local or hub model."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from showcase_utils.devices import resolve_device
from showcase_utils.extras import extra
from showcase_utils.metrics.corpus import mean_metric
from showcase_utils.metrics.metric import Metric
from showcase_utils.metrics.models import quiet_loading
from showcase_utils.metrics.text import check_pairs
from showcase_utils.recipes import BACKBONES
from showcase_utils.weights import check_finite, no_foreign_code

if TYPE_CHECKING:
    from bert_score import BERTScorer

PAIRS = 2048  # whose features bert-score holds at a time, with those of equal references side by side: read once
MIDDLE = 0.75  # where bert-score has no tuned layer: about the depth at which its tuned ones lie


class FixedHash(str):
    """A text with the same hash in every process.

    bert-score makes its batches in the order of a set of the texts, and who shares a batch moves the last digits: with
    Python's own hashes, and in another order of the rows, the same run would end with other bytes.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return zlib.crc32(self.encode("utf-8", "surrogatepass"))


def bertscore(
    hypotheses: Sequence[str],
    references: Sequence[str],
    model: str = "embedded",
    layer: int | None = None,
    batch_size: int = 64,
    device: str = "auto",
) -> Metric:
    """Mean BERTScore F1 without idf and without baseline rescaling, at most 1.

    ``model`` is ``embedded`` (the package's small GPT-2), a hub name such as ``roberta-large``, or a folder;
    ``layer`` counts from 1, by default bert-score's tuned layer for models it knows, else three quarters of the
    depth. An empty hypothesis or reference scores 0. Raises ``ValueError`` for a layer that the model lacks, and
    ``MissingExtra`` where bert-score is not installed.
    """
    check_pairs(hypotheses, references)
    with extra("metrics", "BERTScore"):
        from bert_score.utils import model2layers  # seconds to import, so only where it scores
    from transformers import AutoConfig

    source = str(BACKBONES / "gpt2") if model == "embedded" else model
    with no_foreign_code():
        depth = AutoConfig.from_pretrained(source).num_hidden_layers
    layer = layer or model2layers.get(source) or max(1, round(MIDDLE * depth))
    if not 1 <= layer <= depth:
        raise ValueError(f"layer {layer}: '{model}' has layers 1 to {depth}")
    scores = np.zeros(len(hypotheses))
    written = [i for i, pair in enumerate(zip(hypotheses, references, strict=True)) if all(map(str.strip, pair))]
    written.sort(key=lambda i: (references[i], hypotheses[i]))
    for start in range(0, len(written), PAIRS):
        part = written[start : start + PAIRS]
        scorer = _scorer(source, layer, str(resolve_device(device)))
        # bert-score reports a text of exactly two tokens as empty, on stderr; F1, the one we read, stays right.
        with redirect_stderr(io.StringIO()):
            pairs = [FixedHash(hypotheses[i]) for i in part], [FixedHash(references[i]) for i in part]
            _, _, f1 = scorer.score(*pairs, batch_size=batch_size)
        scores[part] = (f1[layer] if scorer.all_layers else f1).numpy()
    name = Path(source).name if Path(source).is_dir() else source
    variant = (
        f"BERTScore F1, mean, bert-score {version('bert-score')}, {'embedded ' if model == 'embedded' else ''}{name}, "
        f"layer {layer} of {depth}, no idf, no baseline rescaling, casing as written, 1 reference"
    )
    return mean_metric(scores, variant)


@lru_cache(maxsize=1)  # a table scores a dozen systems by one model
def _scorer(source: str, layer: int, device: str) -> BERTScorer:
    from bert_score import BERTScorer
    from transformers import AutoConfig

    # bert-score cuts models off after the wanted layer, but not GPT-2, whose blocks it does not find: there it
    # has to keep all layers, and we read one.
    config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    with quiet_loading():
        scorer = BERTScorer(source, num_layers=layer, device=device, all_layers=config.model_type == "gpt2")
    check_finite(scorer._model, f"evaluation.bertscore_model '{source}'")
    # Tokenizers saved without a length limit carry 1e30, which overflows; those of GPT-2 have no pad token.
    tokenizer = scorer._tokenizer
    positions = config.max_position_embeddings - (2 if config.model_type == "roberta" else 0)
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return scorer
