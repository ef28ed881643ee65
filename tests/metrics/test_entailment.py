"""Statements, and their entailment by a model made by hand: it hears the words, in whatever order its labels stand."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from showcase_utils.metrics.entailment import Entailment, statement_metrics, statements

WORDS = "the tacos ramen were great cold i loved staff was kind .".split()


def save_model(folder, labels, seed=0):
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=raw, **names).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=24, num_labels=len(labels), id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )  # fmt: skip
    network = BertForSequenceClassification(config)
    for weight in network.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight)  # so that answers differ
    network.save_pretrained(folder)
    return network


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same network with its outputs in two orders."""
    first = tmp_path_factory.mktemp("first")
    network = save_model(first, ["entailment", "neutral", "contradiction"])
    second = tmp_path_factory.mktemp("second")
    save_model(second, ["CONTRADICTION", "ENTAILMENT", "NEUTRAL"])
    turned = BertForSequenceClassification.from_pretrained(second)
    turned.load_state_dict(network.state_dict())
    with torch.no_grad():
        for parameter in (turned.classifier.weight, turned.classifier.bias):
            parameter.copy_(parameter[[2, 0, 1]])
    turned.save_pretrained(second)
    return str(first), str(second)


PAIRS = [(a, b) for a in ("the tacos were great .", "i loved the ramen") for b in WORDS]


def test_labels_are_read_from_the_config_in_any_order(folders):
    one, other = (Entailment(folder, "cpu") for folder in folders)
    assert (one.entailed, other.entailed) == (0, 1)
    answers = one.entails(PAIRS)
    assert 0 < answers.sum() < len(PAIRS)
    np.testing.assert_array_equal(answers, other.entails(PAIRS))


def test_batches_do_not_change_answers_and_long_texts_are_cut(folders):
    whole, single = Entailment(folders[0], "cpu"), Entailment(folders[0], "cpu", batch_size=1)
    long = [*PAIRS, (" ".join(WORDS * 9), "the tacos were great .")]
    np.testing.assert_array_equal(whole.entails(long), single.entails(long))


def test_a_model_of_other_labels_and_an_absent_one_are_refused(tmp_path):
    save_model(tmp_path, ["positive", "neutral", "negative"])
    with pytest.raises(ValueError, match="tells positive, neutral, negative, not entailment"):
        Entailment(str(tmp_path), "cpu")
    with pytest.raises(OSError):
        Entailment(str(tmp_path / "absent"), "cpu")


def test_sentences_are_cut_into_clauses_and_short_ones_stay_whole():
    text = "i loved the tacos, but the ramen was cold. good but pricey! we sat outside; mom had soup, and it was warm"
    assert statements([text, ""]) == [
        ["i loved the tacos", "the ramen was cold.", "good but pricey!", "we sat outside", "mom had soup",
         "it was warm"],
        [],
    ]  # fmt: skip


class Words:
    """Entailed is what has no word that the premise lacks."""

    name = "words"

    def entails(self, pairs):
        return np.array([set(b.rstrip(".").split()) <= set(a.replace(".", "").split()) for a, b in pairs])


def test_precision_is_of_the_text_and_recall_of_the_review():
    texts = ["the tacos were great. the staff was kind.", "the ramen was cold.", ""]
    reviews = ["the tacos were great. the ramen was cold. i loved the staff.", "the ramen was cold.", "i loved it."]
    found = statement_metrics(texts, reviews, Words())
    np.testing.assert_array_equal(found["Statement precision"].per_sample, [1 / 2, 1, np.nan])
    np.testing.assert_array_equal(found["Statement recall"].per_sample, [1 / 3, 1, 0])
    assert "by words" in found["Statement recall"].variant
