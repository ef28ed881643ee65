from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from showcase_utils.config import Encoding
from showcase_utils.encoding.batches import open_photo
from showcase_utils.encoding.clip import Clip, load_clip

from .conftest import CONTEXT, save_clip, save_small_clip

LONG = "the ramen was great great great. we waited long long long long. burger."


def test_features_are_open_clips_own_bit_for_bit(clip: Clip, clip_folder: Path, photos: list[str]) -> None:
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{clip_folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{clip_folder}")
    texts = ["The RAMEN was great", "we waited", LONG]
    with torch.no_grad():
        images = model.eval().encode_image(torch.stack([preprocess(Image.open(p)) for p in photos[:4]]), normalize=True)
        sentences = model.encode_text(tokenizer(texts), normalize=True)
    np.testing.assert_array_equal(clip.encode_images(photos[:4]), images.numpy())
    np.testing.assert_array_equal(clip.encode_texts(texts), sentences.numpy())
    np.testing.assert_array_equal(clip.encode_images([Image.open(p) for p in photos[:4]]), images.numpy())
    np.testing.assert_allclose(np.linalg.norm(clip.encode_images(photos), axis=1), 1, atol=1e-6)


def test_vit_b_32_at_its_real_size_is_open_clips_own_bit_for_bit(tmp_path: Path, photos: list[str]) -> None:
    folder = save_clip(tmp_path / "vit", open_clip.get_model_config("ViT-B-32"))
    name, texts = f"local-dir:{folder}", ["a photo of ramen", "we waited " * 100]
    clip = load_clip(Encoding(model=name, workers=0), "cpu")
    preprocess = image_transform_v2(PreprocessCfg(size=224), is_train=False)
    with torch.no_grad():
        pixels, tokens = torch.stack([preprocess(Image.open(p)) for p in photos[:2]]), open_clip.tokenize(texts)
        images, sentences = clip.model.encode_image(pixels), clip.model.encode_text(tokens)
        images, sentences = images / images.norm(dim=-1, keepdim=True), sentences / sentences.norm(dim=-1, keepdim=True)
    assert clip.dim == 512
    np.testing.assert_array_equal(clip.encode_images(photos[:2]), images.numpy())
    np.testing.assert_array_equal(clip.encode_texts(texts), sentences.numpy())


def test_worker_processes_give_the_same_bits_in_the_same_order(
    settings: Encoding, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    alone = load_clip(settings, "cpu")
    helped = load_clip(settings.model_copy(update={"workers": 2}), "cpu")
    texts = [f"the {word} was great" for word in "abcdefghijkl"]
    np.testing.assert_array_equal(alone.encode_images(photos), helped.encode_images(photos))
    np.testing.assert_array_equal(alone.encode_texts(texts), helped.encode_texts(texts))
    assert "TOKENIZERS_PARALLELISM" not in os.environ


def test_unreadable_photos_are_rejects_with_a_reason(clip: Clip, photos: list[str], tmp_path: Path) -> None:
    broken, cut = tmp_path / "broken.jpg", tmp_path / "cut.jpg"
    broken.write_bytes(b"not a photo")
    cut.write_bytes(Path(photos[0]).read_bytes()[:400])
    sources = [str(broken), photos[3], str(tmp_path / "gone.jpg"), str(cut), photos[5], ""]
    first, second = clip.stream_images(sources, [[0, 1, 2], [3, 4, 5]])
    assert (first.indices, second.indices) == ([1], [4])
    np.testing.assert_allclose(
        np.concatenate([first.rows, second.rows]), clip.encode_images([photos[3], photos[5]]), atol=1e-6
    )
    reasons = dict(first.rejects + second.rejects)
    assert reasons[0] == "UnidentifiedImageError: cannot identify image file 'broken.jpg'"
    assert reasons[2] == reasons[5] == "no such file"
    assert "truncated" in reasons[3].lower()
    with pytest.raises(ValueError, match="photo number 0: Unidentified"):
        clip.encode_images(sources)


def test_a_batch_without_a_readable_photo_is_empty(clip: Clip) -> None:
    (features,) = clip.stream_images(["nowhere.jpg"], [[0]])
    assert features.rows.shape == (0, 16) and features.rejects == [(0, "no such file")]


def test_large_jpegs_are_decoded_small_but_never_below_twice_the_model(tmp_path: Path, clip: Clip) -> None:
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    photo = Image.fromarray(np.stack([np.tile(ramp, (400, 1))] * 3, axis=-1))
    photo.save(tmp_path / "large.jpg", quality=95)
    assert open_photo(str(tmp_path / "large.jpg"), 32).size == (160, 100)
    fast, slow = clip.encode_images([str(tmp_path / "large.jpg"), Image.open(tmp_path / "large.jpg")])
    assert fast @ slow > 0.999


def test_texts_beyond_the_context_are_cut_or_averaged_over_sentences(settings: Encoding, clip: Clip) -> None:
    tokens = clip.tokenizer([LONG])[0]
    assert tokens[-1] == 2  # the end token survives the cut
    whole = load_clip(settings.model_copy(update={"long_text": "mean_of_sentences"}), "cpu")
    sentences = clip.encode_texts(["the ramen was great great great.", "we waited long long long long.", "burger."])
    mean = sentences.mean(axis=0)
    short, averaged = whole.encode_texts(["burger.", LONG])
    np.testing.assert_allclose(averaged, mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(short, sentences[2], atol=1e-6)
    assert np.abs(clip.encode_texts([LONG])[0] - averaged).max() > 1e-3
    assert whole.fingerprint != clip.fingerprint


def test_a_text_that_just_fits_is_not_taken_for_too_long(settings: Encoding, clip: Clip) -> None:
    whole = load_clip(settings.model_copy(update={"long_text": "mean_of_sentences"}), "cpu")
    text = "great. " * ((CONTEXT - 2) // 2)
    assert (clip.tokenizer([text])[0] != 0).sum() == CONTEXT
    np.testing.assert_allclose(whole.encode_texts([text]), clip.encode_texts([text]), atol=1e-6)


def test_out_of_memory_halves_the_batch_and_goes_on(
    clip: Clip, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, whole, sizes = clip.encode_images(photos), clip.model.encode_image, []

    def small_memory(rows: torch.Tensor) -> torch.Tensor:
        sizes.append(len(rows))
        if len(rows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return whole(rows)

    monkeypatch.setattr(clip.model, "encode_image", small_memory)
    np.testing.assert_allclose(clip.encode_images(photos), expected, atol=1e-6)
    assert sizes[:3] == [4, 2, 1] and set(sizes[3:]) == {1}


def test_out_of_memory_with_one_photo_and_other_errors_are_raised(
    clip: Clip, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in ("CUDA out of memory", "mat1 and mat2 shapes cannot be multiplied"):

        def failing(rows: torch.Tensor, message: str = message) -> torch.Tensor:
            raise RuntimeError(message)

        monkeypatch.setattr(clip.model, "encode_image", failing)
        with pytest.raises(RuntimeError, match=message):
            clip.encode_images(photos[:4])


@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler: torch.compile needs one")
def test_compiled_features_are_the_same_but_for_rounding(settings: Encoding, photos: list[str]) -> None:
    shipped, texts = Encoding(workers=0), ["The ramen was great", "we waited", LONG]
    for kind, method, sources in ((shipped, "encode_images", photos[:4]), (settings, "encode_texts", texts)):
        eager = load_clip(kind, "cpu")
        fast = load_clip(kind.model_copy(update={"compile": True}), "cpu")
        cosines = (getattr(eager, method)(sources) * getattr(fast, method)(sources)).sum(axis=1)
        assert (cosines > 1 - 1e-4).all()
        assert hasattr(getattr(fast.model, method.removesuffix("s")), "_torchdynamo_orig_callable")  # not eager again
        assert fast.fingerprint == eager.fingerprint


def test_compiling_without_a_compiler_is_refused(settings: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match="encoding.compile=true needs a C\\+\\+ compiler"):
        load_clip(settings.model_copy(update={"compile": True}), "cpu")


def test_the_fingerprint_tells_weights_preprocessing_and_tokenizer_apart(
    settings: Encoding, clip: Clip, clip_folder: Path, tmp_path: Path
) -> None:
    def fingerprint(name: str) -> str:
        return load_clip(settings.model_copy(update={"model": f"local-dir:{tmp_path / name}"}), "cpu").fingerprint

    for name in ("same", "preprocessing", "tokenizer"):
        shutil.copytree(clip_folder, tmp_path / name)
    save_small_clip(tmp_path / "architecture", quick_gelu=True)
    config = json.loads((clip_folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"] = {"mean": [0.5, 0.5, 0.5]}
    (tmp_path / "preprocessing" / "open_clip_config.json").write_text(json.dumps(config))
    words = json.loads((clip_folder / "tokenizer.json").read_text())
    words["normalizer"] = None
    (tmp_path / "tokenizer" / "tokenizer.json").write_text(json.dumps(words))
    save_clip(
        tmp_path / "weights", json.loads((clip_folder / "open_clip_config.json").read_text())["model_cfg"], seed=1
    )
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(clip_folder / file, tmp_path / "weights" / file)
    assert fingerprint("same") == clip.fingerprint
    others = {fingerprint(name) for name in ("preprocessing", "tokenizer", "architecture", "weights")}
    assert len(others) == 4 and clip.fingerprint not in others


@pytest.mark.parametrize(
    ("model", "pretrained", "message"),
    [
        ("ViT-B-32", "openai", "use encoding.model=ViT-B-32-quickgelu"),
        ("ViT-B-32", None, "needs the tag of its weights or a file: openai"),
        ("ViT-B-32", "nowhere", "needs the tag of its weights or a file: openai"),
        ("ViT-B-32-quickgelu", "laion2b_s34b_b79k", "encoding.model=ViT-B-32 has 'laion2b_s34b_b79k'"),
        ("ViT-Z-32", "openai", "no such open_clip model"),
        ("local-dir:nowhere", None, "no open_clip_config.json in nowhere"),
    ],
)
def test_models_that_cannot_be_used_are_refused_before_anything_is_fetched(
    model: str, pretrained: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_clip(Encoding(model=model, pretrained=pretrained), "cpu")


def test_openai_weights_under_gelu_are_refused_in_a_folder_too(tmp_path: Path) -> None:
    save_small_clip(tmp_path / "vit_base.openai")
    with pytest.raises(ValueError, match='does not say "quick_gelu": true'):
        load_clip(Encoding(model=f"local-dir:{tmp_path / 'vit_base.openai'}"), "cpu")
    save_small_clip(tmp_path / "right.openai", quick_gelu=True)
    assert load_clip(Encoding(model=f"local-dir:{tmp_path / 'right.openai'}"), "cpu").dim == 16


def test_a_folder_without_weights_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "empty")
    (tmp_path / "empty" / "open_clip_model.safetensors").unlink()
    with pytest.raises(ValueError, match="no weights"):
        load_clip(Encoding(model=f"local-dir:{tmp_path / 'empty'}"), "cpu")


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_pickled_weights_run_no_code(clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "pickled")
    (tmp_path / "pickled" / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": Trap(tmp_path / "sprung")}, tmp_path / "pickled" / "open_clip_pytorch_model.bin")
    with pytest.raises(ValueError, match="could not be loaded"):
        load_clip(Encoding(model=f"local-dir:{tmp_path / 'pickled'}"), "cpu")
    assert not (tmp_path / "sprung").exists()
