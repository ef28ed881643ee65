"""The n-gram row of the metric table beside nltk's, sacrebleu's and pycocoevalcap's own calls, one core, one run.

    python benchmarks/bench_metrics.py [--pairs 11015] [--rounds 3]

11,015 is the number of test reviews of GEST-s2. Texts are made up with a Zipf vocabulary and Table 1's mean length.
pycocoevalcap's rows are left out where it is not installed.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

from nltk.translate.meteor_score import meteor_score
from nltk.translate.nist_score import corpus_nist
from sacrebleu.metrics import BLEU
from summary import Row, as_fast, store

from showcase_utils.metrics import text

WORDS, MEAN_LENGTH = 8000, 24.32
GOALS = {"NIST-4 (nltk)": "at least 1"}


def made_up(pairs: int) -> tuple[list[str], list[str]]:
    rng = random.Random(0)
    words = [f"{rng.choice('bcdfghklmnprst')}{rng.choice('aeiou')}{number:x}" for number in range(WORDS)]
    weights = [1 / (rank + 1) for rank in range(WORDS)]
    references = [
        " ".join(rng.choices(words, weights, k=1 + int(rng.expovariate(1 / MEAN_LENGTH)))) for _ in range(pairs)
    ]
    hypotheses = [
        " ".join(word if rng.random() < 0.4 else rng.choices(words, weights)[0] for word in reference.split())
        for reference in references
    ]
    return hypotheses, references


def seconds(call: Callable[[], object], rounds: int) -> tuple[float, object]:
    """The best of ``rounds`` calls, and what the last returned."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        value = call()
        best = min(best, time.perf_counter() - started)
    return best, value


def peers(hypotheses: list[str], references: list[str]) -> dict[str, tuple[Callable, Callable]]:
    """Ours and theirs of each metric; theirs get texts that are split into tokens already."""

    class NoSynonyms:
        synsets = staticmethod(lambda word: [])

    hyps, refs = [text.tokens(t) for t in hypotheses], [text.tokens(t) for t in references]

    def their_bleus() -> float:
        scores = [BLEU(max_ngram_order=n, lowercase=True).corpus_score(hypotheses, [references]) for n in range(1, 5)]
        return scores[-1].score

    def their_meteor() -> float:
        pairs = zip(hyps, refs, strict=True)
        return sum(meteor_score([ref], hyp, wordnet=NoSynonyms) for hyp, ref in pairs) / len(hyps)

    beside = {
        "BLEU-1 to 4 (sacrebleu)": (lambda: text.bleus(hypotheses, references)[4], their_bleus),
        "METEOR (nltk)": (lambda: text.meteor(hypotheses, references), their_meteor),
        "NIST-4 (nltk)": (
            lambda: text.nist(hypotheses, references),
            lambda: corpus_nist([[ref] for ref in refs], hyps, 4),
        ),
    }
    try:
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError:
        return beside
    gts = {i: [" ".join(ref)] for i, ref in enumerate(refs)}
    res = {i: [" ".join(hyp)] for i, hyp in enumerate(hyps)}
    beside["ROUGE-L (pycocoevalcap)"] = (
        lambda: text.rouge_l(hypotheses, references),
        lambda: Rouge().compute_score(gts, res)[0],
    )
    beside["CIDEr-D (pycocoevalcap)"] = (
        lambda: text.cider(hypotheses, references),
        lambda: Cider().compute_score(gts, res)[0],
    )
    return beside


def rows(report: dict) -> tuple[str, list[Row]]:
    measured = [Row(name, as_fast(metric["ratio"]), GOALS.get(name, "")) for name, metric in report["metrics"].items()]
    return f"{report['pairs']:,} pairs of texts, one core", [
        *measured,
        Row("all of the n-gram row", f"{report['whole_row_seconds']} s"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=11015)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    hypotheses, references = made_up(options.pairs)
    row, _ = seconds(lambda: text.ngram_row(hypotheses, references), options.rounds)
    result = {
        "pairs": options.pairs,
        "rounds": options.rounds,
        "whole_row_seconds": round(row, 2),
        "metrics": {},
    }
    for name, (ours, theirs) in peers(hypotheses, references).items():
        (own, value), (their, expected) = seconds(ours, options.rounds), seconds(theirs, options.rounds)
        if abs(float(value) - float(expected)) > 1e-6:
            raise SystemExit(f"{name}: {float(value)} is not {expected}")
        result["metrics"][name] = {"ours": round(own, 3), "theirs": round(their, 3), "ratio": round(their / own, 2)}
    store("metrics", result, rows(result), ("numpy", "nltk", "sacrebleu", "pycocoevalcap"))


if __name__ == "__main__":
    main()
