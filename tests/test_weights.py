"""Weights from elsewhere: what comes with them is not run, and noise in them is an error."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from showcase_utils.alignment.phi import AlignmentClassifier, read_phi
from showcase_utils.config import Encoding, Generation
from showcase_utils.encoding.clip import load_clip
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.metrics.bertscore import bertscore
from showcase_utils.recipes import BACKBONES
from showcase_utils.weights import check_finite


def from_decoder(folder):
    ShowcaseGenerator.from_decoder(str(folder), max_tokens=Generation().max_tokens, feature_dim=8, encoder_layers=1)


def text_tower(folder):
    """A CLIP whose configuration says that its text model, and its tokenizer, are those of another folder."""
    clip = folder.parent / "clip"
    shutil.copytree(BACKBONES / "clip", clip)
    config = json.loads((clip / "open_clip_config.json").read_text())
    text = config["model_cfg"]["text_cfg"]
    text |= {"hf_model_name": str(folder), "hf_tokenizer_name": str(folder), "hf_model_pretrained": False}
    (clip / "open_clip_config.json").write_text(json.dumps(config))
    load_clip(Encoding(model=f"local-dir:{clip}", workers=0), "cpu")


@pytest.mark.parametrize(
    "load", [load_tokenizer, from_decoder, text_tower, lambda folder: bertscore(["a b c"], ["a b"], model=str(folder))],
    ids=["tokenizer", "decoder", "text tower of CLIP", "BERTScore"],
)  # fmt: skip
def test_code_that_comes_with_weights_is_never_run(load, tmp_path, monkeypatch):
    folder, owned = tmp_path / "theirs", tmp_path / "owned"
    shutil.copytree(BACKBONES / "gpt2", folder)
    (folder / "evil.py").write_text(f"open({str(owned)!r}, 'w')\nclass Any: pass\n")
    kinds = ("AutoConfig", "AutoModel", "AutoModelForCausalLM")
    for name, theirs in (
        ("config.json", {"model_type": "evil", "auto_map": dict.fromkeys(kinds, "evil.Any")}),
        ("tokenizer_config.json", {"tokenizer_class": "Any", "auto_map": {"AutoTokenizer": ["evil.Any", "evil.Any"]}}),
    ):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | theirs))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(ValueError, match="code"):
        load(folder)
    assert not owned.exists()


def test_noise_in_weights_is_an_error(tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(BACKBONES / "clip", folder)
    weights = load_file(folder / "open_clip_model.safetensors")
    name = next(name for name, tensor in weights.items() if tensor.is_floating_point() and tensor.numel() > 10_000)
    noise = torch.randint(0, 256, (weights[name].numel() * weights[name].element_size(),), dtype=torch.uint8)
    weights[name] = noise.view(weights[name].dtype).reshape(weights[name].shape)
    save_file(weights, folder / "open_clip_model.safetensors")
    with pytest.raises(ValueError, match="not finite"):
        load_clip(Encoding(model=f"local-dir:{folder}", workers=0), "cpu")


def noise_in(path):
    weights = load_file(path)
    name = max(weights, key=lambda name: weights[name].numel())
    weights[name] = weights[name].clone().fill_(float("nan"))
    save_file(weights, path, metadata={"format": "pt"})


def test_noise_in_ones_own_decoder_is_an_error(tmp_path):
    folder = shutil.copytree(BACKBONES / "gpt2", tmp_path / "gpt2")
    noise_in(folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"decoder .*not finite"):
        from_decoder(folder)


def test_noise_in_a_trained_phi_is_an_error(tmp_path):
    AlignmentClassifier(8).save(tmp_path)
    noise_in(tmp_path / "phi.safetensors")
    with pytest.raises(ValueError, match=r"Φ of .*not finite"):
        read_phi(tmp_path)


def test_a_sound_model_passes():
    check_finite(torch.nn.Linear(2, 2), "a model")
