"""The generator and its processor as transformers' own: Auto classes, cards, the way to a hub; mistyped names."""

import base64
import importlib
import json
import subprocess
import sys

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard, constants
from huggingface_hub.utils._http import default_client_factory
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoProcessor, AutoTokenizer

from showcase_utils import ShowcaseGenerator, ShowcaseProcessor
from showcase_utils.config import Encoding
from showcase_utils.encoding.clip import load_clip
from showcase_utils.generation.gpt2 import load_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A generator with its processor, random weights around the embedded decoder."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("hub") / "generator"
    ShowcaseGenerator.from_decoder("embedded", max_tokens=6, feature_dim=256, encoder_layers=1).save_pretrained(folder)
    ShowcaseProcessor(load_tokenizer("embedded")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def processor(folder):
    return AutoProcessor.from_pretrained(folder)


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (64, 48), (80 * number, 30, 200)).save(path)
    return paths


def test_auto_classes_open_what_was_saved(folder, processor, photos):
    model = AutoModel.from_pretrained(folder).eval()
    assert type(model) is ShowcaseGenerator and type(processor) is ShowcaseProcessor
    assert AutoConfig.from_pretrained(folder).model_type == "showcase"
    inputs = processor(photos=photos, texts=["Great ramen.", "A terrace."])
    written = model.generate(**inputs)
    assert written.shape[0] == 1 and isinstance(processor.batch_decode(written, skip_special_tokens=True)[0], str)


def test_the_processor_gives_the_features_of_its_clip_with_masks(processor, photos):
    clip = load_clip(Encoding(workers=0))
    inputs = processor(photos=[photos[:1], [str(path) for path in photos]], texts=[["Great ramen."], []])
    assert {name: tuple(value.shape) for name, value in inputs.items()} == {
        "images": (2, 3, 256), "image_mask": (2, 3), "history": (2, 1, 256), "history_mask": (2, 1)
    }  # fmt: skip
    assert inputs["image_mask"].tolist() == [[True, False, False], [True] * 3]
    assert inputs["history_mask"].tolist() == [[True], [False]]
    np.testing.assert_allclose(inputs["images"][1], clip.encode_images(photos), atol=1e-5)
    np.testing.assert_allclose(inputs["history"][0], clip.encode_texts(["Great ramen."]), atol=1e-5)


def test_the_processor_names_what_is_wrong(processor, photos, folder):
    with pytest.raises(ValueError, match="photos of 2 showcases, but texts of 1"):
        processor(photos=[photos, photos], texts=["a"])
    with pytest.raises(TypeError, match="give a list"):
        processor(texts="Great ramen.")
    with pytest.raises(ValueError, match="another CLIP"):
        ShowcaseProcessor(processor.tokenizer, processor.clip, features="of another")(photos=photos)


def test_a_saved_model_has_a_card_that_is_not_written_over(folder, tmp_path):
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "transformers" and "## Limits" in card.text and "`gpt2`" in card.text
    (tmp_path / "README.md").write_text("mine")
    AutoModel.from_pretrained(folder).save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def _printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_transformers_alone_reads_the_tokenizer_and_runs_no_code_until_the_package_is_imported(folder):
    assert not list(folder.glob("*.py")) and "auto_map" not in (folder / "config.json").read_text()
    code = (
        "from transformers import AutoModel, AutoTokenizer\n"
        f"assert AutoTokenizer.from_pretrained({str(folder)!r})('hello')['input_ids']\n"
        f"try: AutoModel.from_pretrained({str(folder)!r})\n"
        "except ValueError as error: assert 'showcase' in str(error)\n"
        "else: raise SystemExit('read')\n"
        f"import showcase_utils\nprint(type(AutoModel.from_pretrained({str(folder)!r})).__name__)"
    )
    assert _printed(code) == ["ShowcaseGenerator"]


@pytest.mark.slow
def test_importing_the_package_first_is_enough_and_costs_no_transformers(folder):
    code = (
        "import sys, showcase_utils\nassert 'transformers' not in sys.modules and 'torch' not in sys.modules\n"
        f"import transformers\nprint(type(transformers.AutoModel.from_pretrained({str(folder)!r})).__name__)"
    )
    assert _printed(code) == ["ShowcaseGenerator"]


def test_push_to_hub_uploads_weights_tokenizer_and_card(folder, monkeypatch):
    """As inherited; what would answer at the hub stands in the place of the network."""
    sent = {}
    http = importlib.import_module(type(huggingface_hub.get_session()).__module__.partition(".")[0])  # httpx, or httpx2

    def hub(request):
        body = request.read()
        path = request.url.path
        if path.endswith("/repos/create"):
            return http.Response(200, json={"url": "https://huggingface.co/me/showcases", "name": "me/showcases"})
        if path.endswith("/validate-yaml"):
            return http.Response(200, json={"errors": [], "warnings": []})
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None} for f in files]
            return http.Response(200, json={"files": modes})
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    sent[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return http.Response(200, json={"commitUrl": "https://huggingface.co/me/showcases/commit/1",
                                             "commitOid": "1", "pullRequestUrl": None})  # fmt: skip
        return http.Response(404, headers={"X-Error-Code": "EntryNotFound"})

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    huggingface_hub.set_client_factory(lambda: http.Client(transport=http.MockTransport(hub)))
    try:
        AutoModel.from_pretrained(folder).push_to_hub("me/showcases", token="made-up")
        AutoTokenizer.from_pretrained(folder).push_to_hub("me/showcases", token="made-up")
    finally:
        huggingface_hub.set_client_factory(default_client_factory)  # which refuses offline instead of trying again
    assert {"config.json", "model.safetensors", "generation_config.json", "tokenizer.json", "README.md"} <= sent.keys()
    assert sent["model.safetensors"] == (folder / "model.safetensors").read_bytes()


def test_mistyped_names_are_errors_that_name_what_was_meant(folder):
    with pytest.raises(TypeError, match="encoder_layer'; did you mean encoder_layers"):
        ShowcaseGenerator.from_decoder("embedded", encoder_layer=1)
    with pytest.raises(TypeError, match="from_captioner takes no 'contrast_visuals'; did you mean contrast_visual"):
        ShowcaseGenerator.from_captioner(folder, contrast_visuals=True)
    model, images = AutoModel.from_pretrained(folder), torch.zeros(1, 2, 256)
    inputs = {"images": images, "history": images, "labels": torch.zeros(1, 3, dtype=torch.long)}
    with pytest.raises(TypeError, match="takes no 'image_masks'; did you mean image_mask"):
        model(**inputs, image_masks=torch.ones(1, 2, dtype=torch.bool))
    assert model(**inputs, num_items_in_batch=3).loss.ndim == 0
