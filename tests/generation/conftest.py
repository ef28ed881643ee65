"""A tiny random GPT-2 and its tokenizer on disk, and a few samples to feed it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, set_seed

from showcase_utils.config import Generation
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system

DIM = 16
DISHES = ["ramen", "tacos", "sushi", "pizza", "curry", "burger", "salad", "pho", "paella", "falafel"]
SENTENCES = [
    *(f"the {dish} was great and the {other} was cold" for dish in DISHES for other in DISHES if dish < other),
    *(f"I loved my {dish}, but the service is slow." for dish in DISHES),
]


def save_decoder(folder: Path, separate_pad: bool, dropout: float = 0.0) -> Path:
    """A GPT-2 with distinct pad, bos and eos tokens, or one like the real ``gpt2``: a single token for all, no pad."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|bos|>", "<|eos|>"] if separate_pad else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([text.lower() for text in SENTENCES], trainer)
    roles = {"bos_token": special[-2] if separate_pad else special[0], "eos_token": special[-1]}
    if separate_pad:
        roles["pad_token"] = special[0]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **roles)
    set_seed(0)
    config = GPT2Config(
        vocab_size=len(fast),
        n_positions=64,
        n_embd=64,
        n_layer=2,
        n_head=2,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def decoder(tmp_path_factory):
    return save_decoder(tmp_path_factory.mktemp("gpt2"), separate_pad=True)


@pytest.fixture(scope="session")
def decoder_without_pad(tmp_path_factory):
    return save_decoder(tmp_path_factory.mktemp("gpt2-no-pad"), separate_pad=False)


@pytest.fixture(scope="session")
def decoder_with_dropout(tmp_path_factory):
    return save_decoder(tmp_path_factory.mktemp("gpt2-dropout"), separate_pad=True, dropout=0.2)


class Store:
    """What a feature store offers, in memory: unit vectors by id."""

    def __init__(self, ids, seed: int):
        rows = np.random.default_rng(seed).normal(size=(len(ids), DIM)).astype(np.float32)
        self.rows = dict(zip(ids, rows / np.linalg.norm(rows, axis=1, keepdims=True), strict=True))
        self.dim = DIM

    def __contains__(self, key):
        return key in self.rows

    def __getitem__(self, ids):
        return np.stack([self.rows[key] for key in ids]) if len(ids) else np.zeros((0, DIM), np.float32)


def make_world():
    """Sixty-four reviews of sixteen users, a photo or two each, histories, stores; users split 12/2/2."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(64):
        user, business = f"u{index % 16}", f"b{index // 16}"
        first, second = rng.choice(len(DISHES), 2, replace=False)
        verb = "is" if index % 4 > 1 else "was"  # a dish in like surroundings only would be taken for a saying
        rows.append(
            {
                "review_id": f"{user}_{business}",
                "user_id": user,
                "business_id": business,
                "rating": 5,
                "text": f"The {DISHES[first]} was Great and the {DISHES[second]} {verb} cold."
                + " We loved it!" * (index % 2),
                "image_ids": [f"p{index}-{photo}" for photo in range(1 + index % 2)],
                "split": "train" if index % 16 < 12 else "val" if index % 16 < 14 else "test",
            }
        )
    reviews = pd.DataFrame(rows)
    history = reviews.groupby("user_id")["review_id"].agg(list)
    history = pd.Series(
        {
            row.review_id: [other for other in history[row.user_id] if other != row.review_id]
            for row in reviews.itertuples()
        }
    )
    photos = Store([image for images in reviews["image_ids"] for image in images], seed=1)
    return {
        "reviews": reviews,
        "history": history,
        "photos": photos,
        "review_features": Store(list(reviews["review_id"]), seed=2),
    }


def make_settings(decoder, **changes):
    small = {
        "lr": 3e-3,
        "batch_size": 16,
        "epochs": 2,
        "max_tokens": 24,
        "encoder_layers": 1,
        "entities": "phrases",
        "joined": 0,
        "jobs": 1,
    }
    return Generation(decoder=str(decoder), **(small | changes))


def make_corpus(world, settings):
    """A corpus whose chosen photos are other reviews' photos."""
    held_out = world["reviews"][world["reviews"]["split"] != "train"]
    others = [[images[0]] for images in held_out["image_ids"][::-1]]
    return ShowcaseCorpus(
        world["reviews"],
        world["history"],
        dict(zip(world["reviews"]["review_id"], world["reviews"]["text"], strict=True)),
        world["photos"],
        world["review_features"],
        pd.DataFrame({"review_id": held_out["review_id"], "image_ids": others}),
        load_tokenizer(settings.decoder),
        settings,
    )


@pytest.fixture(scope="session")
def world():
    return make_world()


@pytest.fixture
def settings(decoder):
    return make_settings(decoder)


@pytest.fixture
def corpus(world, settings):
    return make_corpus(world, settings)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, decoder, world):
    """A system after a short training, its tokenizer, and what it was trained on."""
    corpus = make_corpus(world, make_settings(decoder, epochs=6))
    folder = train_system(tmp_path_factory.mktemp("trained"), "ours_ce", corpus, 0, "cpu", False)
    return load_system(folder), load_tokenizer(folder), corpus
