from __future__ import annotations

import copy
import errno
import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import huggingface_hub
import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

from showcase_utils.config import Encoding
from showcase_utils.data.sentences import split_sentences
from showcase_utils.encoding import batches
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


def test_what_the_embedded_model_leaves_out_as_padding_changes_no_bit() -> None:
    clip = load_clip(Encoding(workers=0), "cpu")
    for count in (1, 5, 20):  # words, of a column each or two: beginnings of texts of several lengths
        texts = [" ".join(LONG.split()[:number]) for number in range(1, count + 1)]
        tokens = clip.tokenizer(texts)
        with torch.inference_mode():
            whole = F.normalize(open_clip.CLIP.encode_text(clip.model, tokens), dim=-1)
        np.testing.assert_array_equal(clip.encode_texts(texts), whole.numpy())


@pytest.mark.slow
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


def test_a_text_beyond_the_context_is_found_where_padding_is_the_end_token(clip_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "padded"
    shutil.copytree(clip_folder, folder)
    facts = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(facts | {"pad_token": "</s>"}))
    settings = Encoding(model=f"local-dir:{folder}", workers=0, long_text="mean_of_sentences")
    clip = load_clip(settings, "cpu")
    fits, slightly, long = "great. " * ((CONTEXT - 2) // 2), "great. " * ((CONTEXT - 2) // 2) + "we", LONG
    assert (clip.tokenizer([fits, "great"]) == 2).sum(dim=1).tolist() == [1, CONTEXT - 2]
    cut = load_clip(settings.model_copy(update={"long_text": "truncate"}), "cpu").encode_texts([fits, slightly, long])
    found = clip.encode_texts([fits, slightly, long])
    changed = np.abs(found - cut).max(axis=1) > 1e-3
    assert changed.tolist() == [False, True, True]
    for text, row in ((slightly, found[1]), (long, found[2])):
        mean = clip.encode_texts(next(split_sentences([text]))).mean(axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), OSError(errno.EMFILE, "Too many open files"), PermissionError(13, "no"),
     OSError(errno.ESTALE, "Stale file handle"), MemoryError(), RuntimeError("Allocator: can't allocate memory")],
    ids=["disk", "files", "permissions", "network", "memory", "torch's memory"],
)  # fmt: skip
def test_what_the_machine_fails_at_is_no_reject(
    settings: Encoding, photos: list[str], monkeypatch: pytest.MonkeyPatch, workers: int, error: Exception
) -> None:
    whole = batches.open_photo

    def failing(source: str, size: int) -> Image.Image:
        if source == photos[5]:
            raise error
        return whole(source, size)

    monkeypatch.setattr(batches, "open_photo", failing)
    clip = load_clip(settings.model_copy(update={"workers": workers}), "cpu")
    stream = clip.stream_images(photos, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    assert next(stream).indices == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match=f"^{photos[5]} could not be read, and the photo is not to blame"):
        next(stream)


def test_what_a_broken_photo_makes_the_system_say_is_a_reject(
    clip: Clip, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: str, size: int) -> Image.Image:
        raise OSError(errno.EINVAL, "Invalid argument")  # a seek to before the file's beginning

    monkeypatch.setattr(batches, "open_photo", broken)
    (features,) = clip.stream_images(photos[:1], [[0]])
    assert features.rejects == [(0, "OSError: [Errno 22] Invalid argument")]


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


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler: torch.compile needs one")
def test_compiled_features_are_the_same_but_for_rounding(
    settings: Encoding, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of photos by PyTorch's own compiler; of texts the graph alone, for that compiler takes its time."""
    shipped, texts = Encoding(workers=0), ["The ramen was great", "we waited", LONG]
    for kind, method, sources in ((shipped, "encode_images", photos[:4]), (settings, "encode_texts", texts)):
        eager = load_clip(kind, "cpu")
        fast = load_clip(kind.model_copy(update={"compile": True}), "cpu")
        cosines = (getattr(eager, method)(sources) * getattr(fast, method)(sources)).sum(axis=1)
        assert (cosines > 1 - 1e-4).all()
        assert hasattr(getattr(fast.model, method.removesuffix("s")), "_torchdynamo_orig_callable")  # not eager again
        assert fast.fingerprint == eager.fingerprint
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))


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
        ("ViT-B-32", None, r"a model given by name needs weights. A tag \(openai, .*\) needs a network"),
        ("ViT-B-32", "nowhere", r"'nowhere' is not a known tag or valid file path\. A tag \(openai"),
        ("ViT-B-32-quickgelu", "laion2b_s34b_b79k", "'laion2b_s34b_b79k' is not a known tag"),
        ("ViT-Z-32", "openai", "no such open_clip model. See open_clip.list_models"),
        ("local-dir:nowhere", None, "No such file or directory: 'nowhere/open_clip_config.json'"),
    ],
)
def test_models_that_cannot_be_used_are_refused_before_anything_is_fetched(
    model: str, pretrained: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_clip(Encoding(model=model, pretrained=pretrained), "cpu")


def save_named(folder: Path, weights: str, **changes: object) -> Encoding:
    """A small CLIP in ``folder`` whose file of weights has another name."""
    save_small_clip(folder, **changes)
    (folder / "open_clip_model.safetensors").rename(folder / weights)
    return Encoding(model=f"local-dir:{folder}", workers=0)


def test_weights_that_are_called_openais_need_quickgelu_in_a_folder(tmp_path: Path) -> None:
    for name in ("vit_base.openai.safetensors", "ViT-B-32.safetensors", "ViT-L-14-336px.safetensors"):
        with pytest.raises(ValueError, match='going by the name of their file: add "quick_gelu": true'):
            load_clip(save_named(tmp_path / name / "wrong", name), "cpu")
        assert load_clip(save_named(tmp_path / name / "right", name, quick_gelu=True), "cpu").dim == 16


def test_the_name_of_a_folder_says_nothing_about_activation(tmp_path: Path) -> None:
    save_small_clip(tmp_path / "openai-project" / "ViT-B-32")
    assert load_clip(Encoding(model=f"local-dir:{tmp_path / 'openai-project' / 'ViT-B-32'}"), "cpu").dim == 16


SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture
def small_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small models among open_clip's own, with and without QuickGELU."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Small", SMALL)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Small-quickgelu", SMALL | {"quick_gelu": True})


def save_weights(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.save(open_clip.CLIP(**copy.deepcopy(SMALL), **changes).state_dict(), path)
    return path


def test_a_model_by_name_takes_its_weights_from_a_file(
    small_names: None, tmp_path: Path, photos: list[str], one_thread: None
) -> None:
    path = save_weights(tmp_path / "openai-project" / "mine.pt")
    clip = load_clip(Encoding(model="Small", pretrained=str(path), workers=0), "cpu")
    model, _, preprocess = open_clip.create_model_and_transforms("Small", pretrained=str(path))
    with torch.no_grad():
        images = model.eval().encode_image(torch.stack([preprocess(Image.open(p)) for p in photos[:2]]), normalize=True)
    np.testing.assert_array_equal(clip.encode_images(photos[:2]), images.numpy())
    quick = load_clip(Encoding(model="Small-quickgelu", pretrained=str(path), workers=0), "cpu")
    assert np.abs(quick.encode_images(photos[:2]) - images.numpy()).max() > 1e-4  # such a file leaves it to the user
    assert clip.fingerprint != quick.fingerprint


@pytest.mark.parametrize("name", ["ViT-B-32.pt", "RN50x4.pt", "ViT-L-14-336px.pt", "vit.openai.bin"])
def test_a_file_that_is_called_openais_needs_quickgelu(small_names: None, tmp_path: Path, name: str) -> None:
    path = save_weights(tmp_path / name)
    with pytest.raises(ValueError, match="with QuickGELU, going by the name of their file: use .*=Small-quickgelu"):
        load_clip(Encoding(model="Small", pretrained=str(path)), "cpu")
    assert load_clip(Encoding(model="Small-quickgelu", pretrained=str(path)), "cpu").dim == 16


def test_openais_torchscript_archives_are_not_run(small_names: None, tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "any-name.pt")
    with pytest.raises(ValueError, match="could not be loaded: .*TorchScript archives"):
        load_clip(Encoding(model="Small", pretrained=str(tmp_path / "any-name.pt")), "cpu")


def test_a_model_of_the_hub_is_read_from_its_cache(
    clip_folder: Path, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: list[str]
) -> None:
    cached = tmp_path / "models--org--small"
    snapshot = cached / "snapshots" / ("0" * 40)
    shutil.copytree(clip_folder, snapshot)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / ".no_exist" / ("0" * 40)).mkdir(parents=True)
    (cached / ".no_exist" / ("0" * 40) / "config.json").touch()  # what the hub has not is remembered too
    config = json.loads((snapshot / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "org/small"
    (snapshot / "open_clip_config.json").write_text(json.dumps(config))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    found = load_clip(Encoding(model="hf-hub:org/small", workers=0), "cpu")
    np.testing.assert_array_equal(found.encode_images(photos[:3]), clip.encode_images(photos[:3]))
    np.testing.assert_array_equal(found.encode_texts([LONG, "we"]), clip.encode_texts([LONG, "we"]))
    with pytest.raises(ValueError, match="encoding.model=hf-hub:org/other .*could not be loaded: .*Is this its name"):
        load_clip(Encoding(model="hf-hub:org/other"), "cpu")


def test_pickled_weights_are_the_same_weights(clip_folder: Path, clip: Clip, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "pickled")
    weights = tmp_path / "pickled" / "open_clip_model.safetensors"
    torch.save({"state_dict": load_file(weights)}, tmp_path / "pickled" / "open_clip_pytorch_model.bin")
    weights.unlink()
    assert load_clip(Encoding(model=f"local-dir:{tmp_path / 'pickled'}"), "cpu").fingerprint == clip.fingerprint


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _only_an_optimizer(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").unlink()
    weight = torch.nn.Parameter(torch.zeros(2))
    torch.save(torch.optim.AdamW([weight]).state_dict(), folder / "optimizer.pth")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: _cut(folder / "open_clip_model.safetensors"),
        lambda folder: (folder / "open_clip_config.json").write_text('{"model_cfg": '),
        lambda folder: (folder / "open_clip_config.json").write_text("[]"),
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        _only_an_optimizer,
    ],
    ids=["weights cut", "config cut", "config of another kind", "tokenizer cut", "only an optimizer"],
)
def test_a_broken_folder_is_named_with_the_way_out(
    clip_folder: Path, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(clip_folder, folder)
    damage(folder)
    with pytest.raises(ValueError, match=rf"could not be loaded: .*{folder} must hold open_clip_config.json, .*again"):
        load_clip(Encoding(model=f"local-dir:{folder}"), "cpu")


def test_a_folder_without_weights_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "empty")
    (tmp_path / "empty" / "open_clip_model.safetensors").unlink()
    with pytest.raises(ValueError, match="could not be loaded: Required pretrained weights"):
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
