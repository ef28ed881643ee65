"""CONTRIBUTING's baseline, as it stands there."""

import torch

from showcase_utils.generation.baselines import base, show_and_tell
from showcase_utils.generation.decoding import model_inputs
from showcase_utils.generation.systems import SYSTEMS, System
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system
from tests.contributing import example


def test_a_baseline_in_one_file_trains_and_writes(corpus, tmp_path, monkeypatch):
    names = {"Baseline": base.Baseline, "ImageEncoder": show_and_tell.ImageEncoder, "__name__": "bag"}
    exec(example("class Bag"), names)
    entry = eval("{" + example('"bag": System') + "}", {"System": System, "Bag": names["Bag"]})
    monkeypatch.setitem(SYSTEMS, "bag", entry["bag"])
    model = load_system(train_system(tmp_path, "bag", corpus, 0, "cpu", False))
    dataset = SYSTEMS["bag"].dataset(corpus, "test", "chosen")
    assert model.generate(**model_inputs([dataset[0], dataset[1]], torch.device("cpu"))).shape[0] == 2
