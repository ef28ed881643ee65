"""Text metrics of the paper and of its neighbours (section 5), each behind the same small interface.

``metric(hypotheses, references) -> Metric`` with one reference per hypothesis. BLEU is sacrebleu's, METEOR
nltk's, BERTScore bert-score's; NIST, ROUGE-L and CIDEr-D are computed here from per-sample counts, which the
intervals need, and are held to nltk and pycocoevalcap by ``tests/metrics/test_conformance.py``.

One tokeniser serves them all: mteval-v13a as in sacrebleu, after lower-casing (the paper's text is lower-cased).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from itertools import chain

import numpy as np

from showcase_utils.extras import extra
from showcase_utils.metrics.corpus import SumMetric, TypeMetric, mean_metric
from showcase_utils.metrics.metric import Floats, Metric

with extra("metrics", "scoring texts"):
    from nltk.corpus import wordnet
    from nltk.stem.porter import PorterStemmer
    from nltk.translate.meteor_score import single_meteor_score
    from sacrebleu.metrics import BLEU
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

Tokens = list[str]
Texts = Sequence[str]

_tokenizer = Tokenizer13a()
TOKENS = "13a lower-cased tokens"
CIDER_ORDER, CIDER_SIGMA = 4, 6.0
ROUGE_BETA = 1.2


def tokens(text: str) -> Tokens:
    """Lower-cased mteval-v13a tokens of a text; none for an empty one."""
    return _tokenizer(text.lower()).split()


def bleu(hypotheses: Texts, references: Texts, order: int = 4) -> Metric:
    """Corpus BLEU (Papineni et al. 2002) up to ``order``-grams by sacrebleu, 0 to 100.

    ``per_sample`` is sentence BLEU with effective order. An empty hypothesis scores 0.
    """
    return bleus(hypotheses, references, order)[order]


def bleus(hypotheses: Texts, references: Texts, order: int = 4) -> dict[int, Metric]:
    """BLEU-1 to BLEU-``order`` from one pass over the texts."""
    check_pairs(hypotheses, references)
    scorer = BLEU(max_ngram_order=order, lowercase=True, effective_order=True)
    scores = [scorer.sentence_score(hyp, [ref]) for hyp, ref in zip(hypotheses, references, strict=True)]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    statistics = np.array(rows, np.float64)  # (n, 2·order + 2)
    result: dict[int, Metric] = {}
    for n in range(1, order + 1):
        own = statistics[:, [*range(n), *range(order, order + n), -2, -1]]
        value = float(_bleu_of_sums(own.sum(axis=0, keepdims=True))[0])
        per_sample = _bleu_of_sums(own, effective_order=True)
        variant = f"BLEU-{n}, corpus, sacrebleu {version('sacrebleu')}, {TOKENS}, smoothing exp, 1 reference, 0–100"
        result[n] = SumMetric(value, variant, per_sample, own, _bleu_of_sums)
    return result


def _bleu_of_sums(sums: Floats, effective_order: bool = False) -> Floats:
    """BLEU as sacrebleu computes it, with exponential smoothing: ``(R, 2·order + 2)`` -> ``(R,)``.

    The orders behind the first one for which all hypotheses are too short count 0, or are left out (effective order).
    """
    order = sums.shape[1] // 2 - 1
    counts, totals, hyp, ref = sums[:, :order], sums[:, order:-2], sums[:, -2], sums[:, -1]
    reached = np.logical_and.accumulate(totals > 0, axis=1)
    missed = reached & (counts == 0)
    smoothed = np.where(missed, 0.5 ** missed.cumsum(axis=1), counts)  # a half, a quarter … of a match
    logs = np.log(np.divide(smoothed, totals, out=np.ones_like(totals), where=reached))
    orders = np.maximum(reached.sum(axis=1), 1) if effective_order else order
    brevity = np.minimum(1 - np.divide(ref, hyp, out=np.ones_like(ref), where=hyp > 0), 0)
    scores = 100 * np.exp(brevity + logs.sum(axis=1) / orders)
    nothing = (counts == 0).all(axis=1) | (hyp == 0) | (ref == 0) | (not effective_order) & ~reached[:, -1]
    return np.where(nothing, 0.0, scores)


def meteor(hypotheses: Texts, references: Texts) -> Metric:
    """METEOR (Lavie & Agarwal 2007) by nltk, mean over samples, 0 to 1.

    Synonyms come from WordNet where nltk finds it; elsewhere words match exactly or by stem, and the variant
    says so: the two are not comparable. An empty hypothesis scores 0.
    """
    check_pairs(hypotheses, references)
    synonyms, stages = _wordnet()
    stemmer = _CachedStemmer()
    scores = [
        single_meteor_score(tokens(ref), tokens(hyp), preprocess=str, stemmer=stemmer, wordnet=synonyms)
        for hyp, ref in zip(hypotheses, references, strict=True)
    ]
    variant = f"METEOR 2007 ({stages}), mean, nltk {version('nltk')}, {TOKENS}, 1 reference, 0–1"
    return mean_metric(np.array(scores), variant)


class _CachedStemmer(PorterStemmer):
    """Porter's stemmer that stems each word once: a review's words are few, and stemming is METEOR's cost."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = lru_cache(maxsize=None)(super().stem)


class _NoSynonyms:
    """A WordNet without entries: METEOR's exact and stem stages only."""

    @staticmethod
    def synsets(word: str) -> list[object]:
        return []


def _wordnet() -> tuple[object, str]:
    try:
        wordnet.ensure_loaded()
    except LookupError:
        return _NoSynonyms(), "exact and stem matching"
    return wordnet, "exact, stem and WordNet matching"


def nist(hypotheses: Texts, references: Texts, order: int = 4) -> Metric:
    """Corpus NIST (Doddington 2002) up to ``order``-grams, as in nltk's ``corpus_nist``, from 0 up.

    An order for which every hypothesis is too short adds 0, where nltk divides by zero. Information weights are
    those of all references; a resample keeps them.
    """
    check_pairs(hypotheses, references)
    hyps, refs = [tokens(text) for text in hypotheses], [tokens(text) for text in references]
    frequency: Counter[tuple[str, ...]] = Counter({(): sum(map(len, refs))})
    for ref in refs:
        frequency.update(_grams(ref, order))
    information: dict[tuple[str, ...], float] = {}  # of those that a hypothesis shares with its reference, a tenth
    statistics = np.zeros((len(hyps), 2 * order + 2))
    for row, hyp, ref in zip(statistics, hyps, refs, strict=True):
        reference, gained = _counts(ref, order), [0.0] * order
        for gram, count in _counts(hyp, order).items():
            if shared := min(count, reference.get(gram, 0)):
                if gram not in information:
                    information[gram] = math.log2(frequency[gram[:-1]] / frequency[gram])
                gained[len(gram) - 1] += information[gram] * shared
        row[:order] = gained
        row[order : 2 * order] = [max(len(hyp) - n, 0) for n in range(order)]
        row[-2:] = len(hyp), len(ref)
    value = float(_nist_of_sums(statistics.sum(axis=0, keepdims=True))[0])
    variant = f"NIST-{order}, corpus, as nltk {version('nltk')}, {TOKENS}, 1 reference, from 0 up"
    return SumMetric(value, variant, _nist_of_sums(statistics), statistics, _nist_of_sums)


def _nist_of_sums(sums: Floats) -> Floats:
    order = sums.shape[1] // 2 - 1
    gained, total, hyp, ref = sums[:, :order], sums[:, order:-2], sums[:, -2], sums[:, -1]
    precision = np.divide(gained, total, out=np.zeros_like(gained), where=total > 0).sum(axis=1)
    ratio = np.divide(hyp, ref, out=np.zeros_like(hyp), where=ref > 0)
    log_ratio = np.log(ratio, out=np.zeros_like(ratio), where=(ratio > 0) & (ratio < 1))
    beta = math.log(0.5) / math.log(1.5) ** 2  # a hypothesis of two thirds of the reference's length counts half
    return precision * np.where(ratio > 0, np.exp(beta * log_ratio**2), 0.0)


def rouge_l(hypotheses: Texts, references: Texts) -> Metric:
    """ROUGE-L (Lin 2004), the F-measure of the longest common subsequence with β = 1.2, mean, 0 to 1.

    An empty hypothesis or reference scores 0 (pycocoevalcap counts the empty string as one word).
    """
    check_pairs(hypotheses, references)
    pairs = [(tokens(hyp), tokens(ref)) for hyp, ref in zip(hypotheses, references, strict=True)]
    scores = np.zeros(len(pairs))
    for i, (hyp, ref) in enumerate(pairs):
        common = _common_subsequence(hyp, ref)
        if common:
            precision, recall = common / len(hyp), common / len(ref)
            scores[i] = (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)
    return mean_metric(
        scores, f"ROUGE-L, F with β = {ROUGE_BETA}, mean, as pycocoevalcap 1.2, {TOKENS}, 1 reference, 0–1"
    )


def _common_subsequence(a: Tokens, b: Tokens) -> int:
    """Length of the longest common subsequence, one big-integer step per word of ``b`` (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(a)) - 1
    row = full  # a zero bit marks a place where the subsequence grows
    for word in b:
        match = row & places.get(word, 0)
        row = (row + match | row - match) & full
    return len(a) - row.bit_count()


def cider(hypotheses: Texts, references: Texts) -> Metric:
    """CIDEr-D (Vedantam et al. 2015) up to 4-grams, σ = 6, mean, 0 to 10; document frequencies of these references.

    A corpus of one sample scores 0: every n-gram then stands in every document and carries no weight.
    """
    check_pairs(hypotheses, references)
    hyps = [_counts(tokens(text), CIDER_ORDER) for text in hypotheses]
    refs = [_counts(tokens(text), CIDER_ORDER) for text in references]
    documents = Counter(gram for ref in refs for gram in ref)
    everywhere = math.log(len(refs))
    weight = {gram: everywhere - math.log(count) for gram, count in documents.items()}
    scores = np.zeros(len(hyps))
    for i, (hyp, ref) in enumerate(zip(hyps, refs, strict=True)):
        hyp_norms, ref_norms, dots = [0.0] * CIDER_ORDER, [0.0] * CIDER_ORDER, [0.0] * CIDER_ORDER
        for gram, count in hyp.items():
            w = weight.get(gram, everywhere) ** 2
            hyp_norms[len(gram) - 1] += count * count * w
            in_reference = ref.get(gram, 0)
            dots[len(gram) - 1] += min(count, in_reference) * in_reference * w
        for gram, count in ref.items():
            ref_norms[len(gram) - 1] += count * count * weight[gram] ** 2
        cosines = [d / math.sqrt(h * r) for d, h, r in zip(dots, hyp_norms, ref_norms, strict=True) if h and r]
        # pycocoevalcap takes a text's number of bigrams for its length; so do we.
        gap = _bigrams(hyp) - _bigrams(ref)
        scores[i] = 10 * sum(cosines) / CIDER_ORDER * math.exp(-(gap**2) / (2 * CIDER_SIGMA**2))
    variant = f"CIDEr-D, σ = {CIDER_SIGMA:g}, mean, as pycocoevalcap 1.2, {TOKENS}, idf of these references, 0–10"
    return mean_metric(scores, variant)


def _bigrams(counts: Counter[tuple[str, ...]]) -> int:
    return sum(count for gram, count in counts.items() if len(gram) == 2)


def _counts(words: Tokens, order: int) -> Counter[tuple[str, ...]]:
    return Counter(_grams(words, order))


def _grams(words: Tokens, order: int) -> Iterator[tuple[str, ...]]:
    """All n-grams of a text, the short ones first."""
    return chain.from_iterable(zip(*(words[i:] for i in range(n)), strict=False) for n in range(1, order + 1))


def distinct(hypotheses: Texts, n: int, level: str = "corpus") -> Metric:
    """Distinct-n (Li et al. 2016): different n-grams over all n-grams, 0 to 1.

    ``corpus`` counts over all texts together and falls with the size of the corpus; ``sentence`` is the mean of
    each text's own share and says how little a text repeats itself. A text without n-grams is left out; ``nan``
    when none has any. Raises ``ValueError`` for another level, for ``n < 1`` and without texts.
    """
    if n < 1:
        raise ValueError(f"n = {n}: n-grams have at least one word")
    if level not in ("corpus", "sentence"):
        raise ValueError(f"level '{level}': choose corpus or sentence")
    ngrams = [list(zip(*(words[i:] for i in range(n)), strict=False)) for words in map(tokens, hypotheses)]
    per_sample = np.array([len(set(grams)) / len(grams) if grams else np.nan for grams in ngrams])
    mean = mean_metric(per_sample, f"Distinct-{n}, {level} level, {TOKENS}, 0–1")
    if level == "sentence":
        return mean
    total = sum(map(len, ngrams))
    types = len({gram for grams in ngrams for gram in grams})
    return TypeMetric(types / total if total else math.nan, mean.variant, per_sample, ngrams)


def length(hypotheses: Texts) -> Metric:
    """Mean number of words (between spaces, as in Table 1)."""
    return mean_metric(np.array([len(text.split()) for text in hypotheses], np.float64), "words between spaces, mean")


def unique_share(hypotheses: Texts) -> Metric:
    """Share of the texts that no other text repeats word for word, 0 to 1."""
    times = Counter(hypotheses)
    return mean_metric(np.array([times[text] == 1 for text in hypotheses], np.float64), "texts that occur once, 0–1")


def sentences(counts: Sequence[int]) -> Metric:
    """Mean number of sentences per text; ``counts`` has each text's."""
    return mean_metric(np.array(counts, np.float64), "sentences per text, mean")


def same_text(hypotheses: Texts, places: Sequence[Hashable], users: Sequence[Hashable]) -> Metric:
    """Share of a place's other users who get the very same text, 0 to 1: mean over texts.

    ``places`` and ``users`` say for whom and about what each text is. ``nan`` per sample where a place has one user, or
    where nothing is said.
    """
    readers: dict[Hashable, dict[str, set[Hashable]]] = {}
    for text, place, user in zip(hypotheses, places, users, strict=True):
        readers.setdefault(place, {}).setdefault(text, set()).add(user)
    everybody = {place: set().union(*texts.values()) for place, texts in readers.items()}
    shares = [
        len(readers[place][text] - {user}) / len(everybody[place] - {user})
        if text.strip() and len(everybody[place]) > 1
        else math.nan
        for text, place, user in zip(hypotheses, places, users, strict=True)
    ]
    return mean_metric(np.array(shares), "other users of the place who get the very same text, mean, 0–1")


def ngram_row(hypotheses: Texts, references: Texts) -> dict[str, Metric]:
    """Every metric that needs only words, by the name it has in the tables."""
    scores = bleus(hypotheses, references)
    return {
        **{f"BLEU-{n}": scores[n] for n in scores},
        "METEOR": meteor(hypotheses, references),
        "NIST-4": nist(hypotheses, references),
        "ROUGE-L": rouge_l(hypotheses, references),
        "CIDEr-D": cider(hypotheses, references),
        "Distinct-1": distinct(hypotheses, 1),
        "Distinct-2": distinct(hypotheses, 2),
        "Distinct-1 (sentence)": distinct(hypotheses, 1, "sentence"),
        "Distinct-2 (sentence)": distinct(hypotheses, 2, "sentence"),
        "Length": length(hypotheses),
        "Unique": unique_share(hypotheses),
    }


def check_pairs(hypotheses: Texts, references: Texts) -> None:
    """Raises ``ValueError`` unless both are sequences of texts, of the same length and not empty."""
    for name, texts in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(texts, str):
            raise ValueError(f"{name}: expected a sequence of texts, found one text; wrap it in a list")
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"{name}[{i}] is {type(text).__name__}, not text")
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses but {len(references)} references: they go in pairs")
    if not len(hypotheses):
        raise ValueError("no samples: a metric needs at least one hypothesis")
