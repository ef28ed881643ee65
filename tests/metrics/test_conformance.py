"""Every metric beside the reference implementation it names, on the same made-up pairs, cliffs included."""

import bert_score
import numpy as np
import pytest
import torch
from nltk.translate.meteor_score import meteor_score
from nltk.translate.nist_score import corpus_nist, sentence_nist
from sacrebleu.metrics import BLEU
from transformers import AutoModel, AutoTokenizer

from showcase_utils.metrics import text
from showcase_utils.metrics.bertscore import bertscore

NEAR = dict(abs=1e-6, rel=0)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_is_sacrebleu(pairs, order):
    hypotheses, references = pairs
    expected = BLEU(max_ngram_order=order, lowercase=True).corpus_score(hypotheses, [references]).score
    assert expected > 5
    assert text.bleu(hypotheses, references, order).value == pytest.approx(expected, **NEAR)
    assert text.bleus(hypotheses, references)[order].value == pytest.approx(expected, **NEAR)


def test_sentence_bleu_is_sacrebleu(pairs):
    scorer = BLEU(lowercase=True, effective_order=True)
    expected = [scorer.sentence_score(h, [r]).score for h, r in zip(*pairs, strict=True)]
    np.testing.assert_allclose(text.bleu(*pairs).per_sample, expected, atol=1e-6)


def test_meteor_is_nltk(pairs):
    class Nothing:
        synsets = staticmethod(lambda word: [])

    metric = text.meteor(*pairs)
    options = {} if "WordNet" in metric.variant else {"wordnet": Nothing}
    expected = [
        meteor_score([text.tokens(r)], text.tokens(h), **options) for h, r in zip(*pairs, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(metric.per_sample, expected, atol=1e-6)
    assert metric.value == pytest.approx(np.mean(expected), **NEAR)


def test_nist_is_nltk(pairs):
    hypotheses, references = ([text.tokens(t) for t in side] for side in pairs)
    for order in (1, 4, 5):
        expected = corpus_nist([[r] for r in references], hypotheses, order)
        assert expected > 1
        assert text.nist(*pairs, order).value == pytest.approx(expected, **NEAR)


def test_nist_of_one_pair_is_nltk():
    hypothesis, reference = "the grilled shrimp tacos were very good", "the shrimp tacos were so good"
    expected = sentence_nist([reference.split()], hypothesis.split(), 4)
    assert text.nist([hypothesis], [reference]).value == pytest.approx(expected, **NEAR)


def test_rouge_l_is_pycocoevalcap(coco, pairs):
    """Apart from empty texts, which pycocoevalcap takes for one word, the empty word."""
    metric = text.rouge_l(*pairs)
    written = np.array([bool(h.strip()) for h in pairs[0]])
    expected = np.array([row["rouge_l"] for row in coco["rows"]])
    np.testing.assert_allclose(metric.per_sample[written], expected[written], atol=1e-6)
    assert metric.value == pytest.approx(np.mean(np.where(written, expected, 0.0)), **NEAR)


def test_cider_is_pycocoevalcap(coco, pairs):
    metric = text.cider(*pairs)
    np.testing.assert_allclose(metric.per_sample, [row["cider"] for row in coco["rows"]], atol=1e-6)
    assert metric.value == pytest.approx(coco["corpus"]["cider"], **NEAR)


@pytest.mark.parametrize("n", [1, 2])
def test_distinct_counts_types(pairs, n):
    grams = [[tuple(t[i : i + n]) for i in range(len(t) - n + 1)] for t in map(text.tokens, pairs[0])]
    flat = [gram for sample in grams for gram in sample]
    assert text.distinct(pairs[0], n).value == pytest.approx(len(set(flat)) / len(flat), **NEAR)
    shares = [len(set(sample)) / len(sample) for sample in grams if sample]
    assert text.distinct(pairs[0], n, "sentence").value == pytest.approx(np.mean(shares), **NEAR)


def test_bertscore_is_bert_score(tiny_roberta):
    hypotheses = ["the shrimp tacos were great", "i love a green tea", "slow", "the sushi rolls and tea"]
    references = ["the grilled shrimp tacos", "i love the sushi rolls", "slow service .", "a green tea " * 20]
    _, _, expected = bert_score.score(hypotheses, references, model_type=tiny_roberta, num_layers=2, device="cpu")
    metric = bertscore(hypotheses, references, tiny_roberta, layer=2)
    np.testing.assert_allclose(metric.per_sample, expected.numpy(), atol=1e-6)
    assert "layer 2 of 3" in metric.variant and "no baseline rescaling" in metric.variant


def test_bertscore_of_a_gpt2_folder_is_greedy_matching(tiny_gpt2):
    """bert-score cannot cut GPT-2 off at a layer; the layer that we read is held against the definition."""
    hypotheses = ["the shrimp tacos", "i love a green tea", "slow"]
    references = ["the grilled shrimp tacos were great", "i love the sushi rolls", "slow service ."]
    model, tokenizer = AutoModel.from_pretrained(tiny_gpt2).eval(), AutoTokenizer.from_pretrained(tiny_gpt2)

    def unit(words):
        with torch.no_grad():
            states = model(**tokenizer(words, return_tensors="pt"), output_hidden_states=True).hidden_states[3][0]
        return states / states.norm(dim=1, keepdim=True)

    expected = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        cosines = unit(hypothesis) @ unit(reference).T
        p, r = cosines.max(dim=1).values.mean(), cosines.max(dim=0).values.mean()
        expected.append(float(2 * p * r / (p + r)))
    metric = bertscore(hypotheses, references, tiny_gpt2, batch_size=1)
    np.testing.assert_allclose(metric.per_sample, expected, atol=1e-6)
    assert "layer 3 of 4" in metric.variant
