"""Systems that start from a captioner: which weights they take, and what does not fit."""

import dataclasses

import pytest
import torch

from showcase_utils.generation.captioner import captioner_source
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.systems import SYSTEMS, find_system
from tests.generation.conftest import DIM


@pytest.fixture(scope="module")
def captioner(decoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioner")
    torch.manual_seed(5)
    ShowcaseGenerator.from_decoder(decoder, max_tokens=30, feature_dim=DIM, encoder_layers=1).half().save_pretrained(
        folder
    )
    return folder


@pytest.fixture
def fitting(corpus, captioner):
    settings = corpus.settings.model_copy(update={"pretrained": str(captioner)})
    return dataclasses.replace(corpus, settings=settings)


@pytest.mark.parametrize("name", ["text_gpt2", "img_gpt2", "ours_ce", "ours_pc2l"])
def test_a_system_takes_the_captioners_part_that_it_has(name, fitting, captioner):
    whole, model = ShowcaseGenerator.from_pretrained(captioner).float(), find_system(name).build(fitting)
    weights = dict(whole.named_parameters())
    rows = [whole.encoder.modalities.index(name) for name in model.encoder.modalities]
    for key, value in model.named_parameters():
        if not key.startswith("phi."):
            wanted = weights[key][rows] if key in ("encoder.modality", "encoder.missing") else weights[key]
            assert torch.equal(value, wanted), key
        assert value.dtype == torch.float32
    assert model.generation_config.max_new_tokens == fitting.settings.max_tokens == 24
    assert ("visual" in model.phi) == SYSTEMS[name].ccl and model.config.modalities == SYSTEMS[name].modalities
    batch = collate([find_system(name).dataset(fitting, "val")[0]])
    assert model.eval().generate(**{key: batch[key] for key in batch if key not in ("labels", "swapped")}).shape[0] == 1


def test_one_row_starts_from_random_cross_attention(fitting, captioner):
    torch.manual_seed(0)
    scratch = find_system("ours_ce_scratch").build(fitting)
    torch.manual_seed(0)
    plain = find_system("ours_ce").build(
        dataclasses.replace(fitting, settings=fitting.settings.model_copy(update={"pretrained": None}))
    )
    for key, value in plain.state_dict().items():
        assert torch.equal(value, scratch.state_dict()[key]), key
    origins = {
        SYSTEMS[name].origin(fitting.settings) for name in SYSTEMS if name.startswith("ours") and "scratch" not in name
    }
    assert origins == {"the captioner"} != {SYSTEMS["ours_ce_scratch"].origin(fitting.settings)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder": "embedded"}, "generation.decoder"),
        ({"encoder_layers": 2}, "encoder_layers, for it has 1"),
        ({"max_tokens": 65}, "max_tokens, for it has 64"),
    ],
)
def test_what_does_not_fit_is_named(fitting, changes, message):
    settings = fitting.settings.model_copy(update=changes)
    with pytest.raises(ValueError, match=message):
        find_system("ours_ce").build(dataclasses.replace(fitting, settings=settings))


def test_another_clip_is_refused(fitting, captioner, tmp_path):
    model = ShowcaseGenerator.from_pretrained(captioner)
    model.config.features = "a"
    model.save_pretrained(tmp_path)
    settings = fitting.settings.model_copy(update={"pretrained": str(tmp_path)})
    with pytest.raises(ValueError, match="features of another CLIP"):
        find_system("ours_ce").build(dataclasses.replace(fitting, settings=settings))
    fitting.photos.fingerprint = "a"
    try:
        find_system("ours_ce").build(dataclasses.replace(fitting, settings=settings))
    finally:
        del fitting.photos.fingerprint


def test_the_embedded_one_is_a_folder_and_others_are_as_named(monkeypatch, tmp_path):
    assert captioner_source("some/folder") == "some/folder"
    monkeypatch.setattr("showcase_utils.generation.captioner.EMBEDDED_CAPTIONER", tmp_path)
    with pytest.raises(FileNotFoundError, match="showcase backbones"):
        captioner_source("embedded")


def test_a_text_read_alone_knows_nothing_of_photos_and_history(corpus):
    torch.manual_seed(0)
    dataset = corpus.dataset("train", swap=True)
    batch = collate([dataset[index] for index in range(4)])
    elsewhere = batch | {"images": batch["images"].flip(0), "image_mask": batch["image_mask"].flip(0)}
    for name, same in (("ours_pc2l", False), ("ours_pc2l_alone", True)):
        model = find_system(name).build(corpus).eval()
        with torch.no_grad():
            here, there = model(**batch), model(**elsewhere)
        for text in ("target", "swapped"):
            assert torch.equal(here[text], there[text]) == same
        assert not torch.equal(here.loss, there.loss)  # the words themselves are still written beside the photos
