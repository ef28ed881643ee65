"""Artifacts of a run whose models are small and random, over photos of one colour each."""

import json
import zlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from showcase_utils.alignment.phi import AlignmentClassifier
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.data.filtering import history
from showcase_utils.data.frames import save_reviews
from showcase_utils.encoding.clip import Features
from showcase_utils.encoding.writer import FeatureWriter
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.quotes import NO_BOUNDS
from showcase_utils.generation.tone import Tone
from showcase_utils.selection.methods import MODELS, methods_of, model_folder
from showcase_utils.selection.pools import open_pools
from showcase_utils.showcase import Showcases

DIM = 8
USERS, BUSINESSES = [f"user{i}" for i in range(5)], [f"place{i}" for i in range(4)]


def paint(path, colour):
    Image.new("RGB", (64, 48), tuple(int(c) for c in colour)).save(path)
    return path


def feature(source):
    row = np.random.default_rng(zlib.crc32(str(source).encode())).normal(size=DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


def make_frames(folder):
    rng = np.random.default_rng(0)
    reviews, images = [], []
    for user in USERS:
        for business in rng.choice(BUSINESSES, 3, replace=False):
            review_id = f"{user}_{business}"
            ids = [f"{review_id}-{i}" for i in range(rng.integers(1, 4))]
            for image_id in ids:
                paint(folder / f"{image_id}.jpg", rng.integers(0, 255, 3))
                images.append((image_id, review_id, business, "", f"{image_id}.jpg", "ok"))
            reviews.append((review_id, user, business, 5, f"The <tacos> & tea of {business}.", ids))
    columns = ["review_id", "user_id", "business_id", "rating", "text", "image_ids"]
    s1 = pd.DataFrame(reviews, columns=columns)
    s1["split"] = s1["user_id"].map(dict(zip(USERS, ["train", "train", "train", "val", "test"], strict=True)))
    return s1, pd.DataFrame(images, columns=["image_id", "review_id", "business_id", "url", "path", "status"])


def write_store(folder, ids):
    def encode(sources, batches):
        for batch in batches:
            yield Features(np.stack([feature(sources[i]) for i in batch]), list(batch), [])

    writer = FeatureWriter(dim=DIM, fingerprint="f", dtype="float32", shard_rows=64, batch_size=8, progress=False)
    writer.write(folder, ids, ids, encode)


class ClipByName:
    """In CLIP's place: features of a text or file from its name alone, so that tests know them."""

    fingerprint = "f"

    def encode_texts(self, texts):
        return np.stack([feature(text) for text in texts])

    def encode_images(self, photos):
        return np.stack([feature(photo.name) for photo in photos])  # wherever the test's folder lies


def make_run(store, pictures):
    """Fills the stages of ``store`` up to texts; photos lie in ``pictures``."""
    s1, images = make_frames(pictures)
    torch.manual_seed(0)

    def data(context):
        save_reviews(s1, context.out / "s1.parquet")
        images.to_parquet(context.out / "images.parquet")
        history(s1).reset_index().to_parquet(context.out / "histories.parquet")

    def features(context):
        write_store(context.out / "photos", images["image_id"].tolist())
        write_store(context.out / "reviews", s1["review_id"].tolist())
        write_store(context.out / "sentences", [f"{i}-0" for i in s1["review_id"]])
        sentences = pd.DataFrame({"sentence_id": [f"{i}-0" for i in s1["review_id"]], "review_id": s1["review_id"],
                                  "index": 0, "text": s1["text"]})  # fmt: skip
        sentences.to_parquet(context.out / "sentences.parquet")

    def alignment(context):
        phi = AlignmentClassifier(DIM)
        phi.fingerprint, phi.threshold = "f", 0.0
        phi.save(context.out)
        pairs = [(f"{row.review_id}-0", i, 0.9) for row in s1.itertuples() for i in row.image_ids]
        scores = pd.DataFrame(pairs, columns=["sentence_id", "image_id", "confidence"])
        scores.to_parquet(context.out / "scores.parquet")

    def selection(context):
        settings = context.settings.selection
        method = methods_of(settings)[settings.shown_method]
        for variant in method.variants(settings, 0):
            folder = model_folder(context.out / MODELS, method, variant)
            method.ranker.train(folder, open_pools(context), settings, variant.profile, variant.seed, "cpu")

    def generation(context):
        bpe = ByteLevelBPETokenizer()
        bpe.train_from_iterator(s1["text"], vocab_size=300, special_tokens=["<|endoftext|>"])
        decoder = pictures.with_name(f"{pictures.name}-decoder")
        PreTrainedTokenizerFast(
            tokenizer_object=bpe._tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
        ).save_pretrained(decoder)
        config = GPT2Config(
            vocab_size=300, n_positions=16, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
        )
        GPT2LMHeadModel(config).save_pretrained(decoder)
        model = ShowcaseGenerator.from_decoder(str(decoder), max_tokens=12, feature_dim=DIM, encoder_layers=1)
        for system in ("img_gpt2", "ours_pc2l"):
            folder = context.out / f"{system}-0"
            model.save_pretrained(folder)
            load_tokenizer(decoder).save_pretrained(folder)
            (folder / "training.json").write_text(json.dumps({"system": system, "best_ce": 1.0}))

    def texts(context):
        rows = [(f"{row.review_id}-0", row.text.lower(), row.image_ids[0], row.business_id) for row in s1.itertuples()]
        quotes = pd.DataFrame(rows, columns=["sentence_id", "text", "image_id", "business_id"])
        quotes.to_parquet(context.out / "quotes.parquet")
        Tone.fit(s1["text"], s1["rating"].tolist()).save(context.out / "tone.parquet")
        (context.out / "bounds.json").write_text(json.dumps(NO_BOUNDS._asdict()))

    builders = {"data": data, "features": features,
                "alignment": alignment, "selection": selection, "generation": generation, "texts": texts}  # fmt: skip
    for name, build in builders.items():
        store.make(name, build)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Artifacts of a run on files, with photos outside of them."""
    pictures = tmp_path_factory.mktemp("photos")
    (pictures / "reviews.json").write_text("{}")
    overrides = ["data.source=files", f"data.images={pictures}", f"data.reviews={pictures / 'reviews.json'}",
                 "generation.max_tokens=12", "generation.systems=[img_gpt2,ours_pc2l]", "telling.system=ours_pc2l",
                 "selection.shown_method=metric_dpp",
                 "device=cpu"]  # fmt: skip
    store = Artifacts(load_settings("smoke", overrides), tmp_path_factory.mktemp("artifacts"))
    make_run(store, pictures)
    return store


@pytest.fixture(scope="session")
def showcases(store):
    showcases = Showcases.load(store)
    showcases.encoder._clip = ClipByName()
    return showcases
