"""Small CLIPs with random weights in open_clip's own folder format, and plain photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Data, Encoding, Settings
from showcase_utils.encoding.build import build_features
from showcase_utils.encoding.clip import Clip, load_clip

CONTEXT = 12
WORDS = ["the", "ramen", "burger", "sushi", "was", "great", "cold", "we", "waited", "long", "red", "blue", "plate"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def save_clip(folder: Path, model_config: dict, preprocess: dict | None = None, seed: int = 0) -> Path:
    """A randomly initialised CLIP of ``model_config``, saved as open_clip saves; half-precision weights."""
    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = open_clip.CLIP(**deepcopy(model_config))
    save_file(
        {key: value.half().contiguous() for key, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    config = {"model_cfg": model_config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def save_small_clip(folder: Path, **changes: object) -> Path:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {
            "context_length": CONTEXT, "vocab_size": tokenizer.get_vocab_size(), "width": 32, "heads": 2, "layers": 1,
            "hf_tokenizer_name": "local", "pool_type": "eos", "eos_id": 2, "pad_id": 0,
        },
        **changes,
    }  # fmt: skip
    save_clip(folder, config)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=CONTEXT
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_clip(tmp_path_factory.mktemp("backbones") / "small")


@pytest.fixture
def settings(clip_folder: Path) -> Encoding:
    return Encoding(model=f"local-dir:{clip_folder}", batch_size=4, workers=0, shard_rows=8)


@pytest.fixture
def clip(settings: Encoding) -> Clip:
    return load_clip(settings, "cpu")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Twelve JPEGs of noise, 40 to 51 pixels wide, each unlike the others."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = []
    for number in range(12):
        paths.append(str(folder / f"{number}.jpg"))
        pixels = rng.integers(0, 255, (44, 40 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    return paths


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


@dataclass(frozen=True)
class PlateWorld:
    """Reviews of red and blue plates as files: the stage ``data``, photos (one broken, some gone), annotations."""

    settings: Settings
    data: Path
    s1: pd.DataFrame
    images: pd.DataFrame  # of all reviews; path relative to ``settings.data.images``
    annotations: pd.DataFrame  # also of reviews that are not in s1

    def context(self, out: Path, settings: Settings | None = None, **stages: Path | None) -> BuildContext:
        """What a builder gets: an empty folder, this data stage and ``stages``."""
        out.mkdir(exist_ok=True)
        previous = stages.pop("previous", None)
        return BuildContext(out, {"data": self.data, **stages}, settings or self.settings, previous, progress=False)


@pytest.fixture(scope="session")
def plates(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PlateWorld:
    folder, rng = tmp_path_factory.mktemp("plates"), np.random.default_rng(0)
    (folder / "photos").mkdir()
    (folder / "data").mkdir()
    reviews, images, labels = [], [], []
    for number in range(60):
        review_id, sentences = f"u{number % 20}_b{number % 7}_{number}", ["We waited long.", "Nice place!"]
        ids = []
        for position, colour in enumerate(rng.choice(list(COLOURS), size=2)):
            image_id = f"p{number}_{position}"
            pixels = np.array(COLOURS[colour]) + rng.integers(-25, 25, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "photos" / f"{image_id}.jpg")
            ids.append(image_id)
            images.append((image_id, review_id, f"{image_id}.jpg", "ok"))
            sentences.insert(0, f"The {colour} plate was great {number % 5}.")
            for sentence in sentences:
                labels += [(review_id, sentence, image_id, who, int(colour in sentence)) for who in "abc"]
        images.append((f"dead{number}", review_id, "", "expired"))
        reviews.append((review_id, f"u{number % 20}", f"b{number % 7}", 5, " ".join(sentences), ids, "train"))
    (folder / "photos" / "p0_0.jpg").write_bytes(b"broken")
    columns = ["review_id", "user_id", "business_id", "rating", "text", "image_ids", "split"]
    s1 = pd.DataFrame(reviews, columns=columns)[:45]
    images = pd.DataFrame(images, columns=["image_id", "review_id", "path", "status"])
    s1.to_parquet(folder / "data" / "s1.parquet")
    images.to_parquet(folder / "data" / "images.parquet")
    annotations = pd.DataFrame(labels, columns=["review_id", "sentence", "image_id", "annotator", "label"])
    annotations = annotations.drop_duplicates(["review_id", "sentence", "image_id", "annotator"])
    annotations.to_csv(folder / "annotations.csv", index=False)
    data = Data(source="files", images=folder / "photos", annotations=folder / "annotations.csv")
    encoding = Encoding(model=f"local-dir:{clip_folder}", batch_size=32, workers=0, shard_rows=64)
    settings = Settings(profile="plates", device="cpu", data=data, encoding=encoding)
    return PlateWorld(settings, folder / "data", s1, images, annotations)


@pytest.fixture(scope="session")
def features(plates: PlateWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage ``features`` of ``plates``."""
    out = tmp_path_factory.mktemp("stages") / "features"
    build_features(plates.context(out))
    return out


def digest(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
