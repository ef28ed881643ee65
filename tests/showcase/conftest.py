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
from showcase_utils.selection.methods import MODELS, find_method, model_folder
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
    s1 = pd.DataFrame(reviews, columns=columns).assign(split="test")
    return s1, pd.DataFrame(images, columns=["image_id", "review_id", "business_id", "url", "path", "status"])


def write_store(folder, ids):
    def encode(sources, batches):
        for batch in batches:
            yield Features(np.stack([feature(sources[i]) for i in batch]), list(batch), [])

    writer = FeatureWriter(dim=DIM, fingerprint="f", dtype="float32", shard_rows=64, batch_size=8, progress=False)
    writer.write(folder, ids, ids, encode)
