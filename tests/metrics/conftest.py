import json
from pathlib import Path

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer, processors
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

SENTENCES = ["the grilled shrimp tacos were great", "i love the sushi rolls and a green tea", "slow service ."] * 10


@pytest.fixture(scope="session")
def coco():
    """Made-up pairs with what pycocoevalcap says of them (written by tests/reference/captions.py)."""
    return json.loads((Path(__file__).parent / "pairs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def pairs(coco):
    return [row["hypothesis"] for row in coco["rows"]], [row["reference"] for row in coco["rows"]]


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory):
    """A random GPT-2 whose tokenizer has neither a length limit nor a pad token."""
    folder = tmp_path_factory.mktemp("gpt2")
    bpe = ByteLevelBPETokenizer(add_prefix_space=True)
    bpe.train_from_iterator(SENTENCES, vocab_size=300, special_tokens=["<|endoftext|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = dict(vocab_size=len(tokenizer), n_positions=24, n_embd=16, n_layer=4, n_head=2)
    GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory):
    """A random RoBERTa with <s> and </s> around every text."""
    folder = tmp_path_factory.mktemp("roberta")
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = ByteLevelBPETokenizer(add_prefix_space=True)
    bpe.train_from_iterator(SENTENCES, vocab_size=300, special_tokens=specials)
    bpe._tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = dict(bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, unk_token="<unk>", **names)
    tokenizer.model_max_length = 30
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, type_vocab_size=1,
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return str(folder)
