from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from showcase_utils.alignment.metrics import alignment_curves, alignment_intervals, alignment_metrics
from showcase_utils.alignment.phi import (
    AlignmentClassifier,
    CosinePhi,
    Pairs,
    best_threshold,
    read_phi,
    train_alignment,
)
from showcase_utils.config import Alignment

DIM = 8
SETTINGS = Alignment(epochs=40, lr=1e-2)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def pairs(n: int, seed: int, label_of: str) -> Pairs:
    """Random features; labels depend on the sentence alone ("sentence") or on how well the two agree ("cosine")."""
    rng = np.random.default_rng(seed)
    image, sentence = unit(rng.normal(size=(n, DIM))), unit(rng.normal(size=(n, DIM)))
    value = sentence[:, 0] if label_of == "sentence" else (image * sentence).sum(axis=1)
    return Pairs(image, sentence, (value > 0.2).astype(np.int64), review=np.arange(n).astype(object))


def auc(phi: AlignmentClassifier, test: Pairs) -> float:
    return float(roc_auc_score(test.label, phi.score(test.image, test.sentence)))


def test_the_single_layer_is_the_paper_formula() -> None:
    phi = AlignmentClassifier(DIM)
    image, sentence = (torch.from_numpy(rows) for rows in (pairs(5, 0, "cosine").image, pairs(5, 1, "cosine").image))
    weight, bias = phi.layers.weight[0], phi.layers.bias[0]
    slow = torch.stack([weight @ (torch.cat([v, s]) * DIM**0.5) + bias for v, s in zip(image, sentence, strict=True)])
    torch.testing.assert_close(phi(image, sentence), slow)
    assert phi(image.view(5, 1, DIM), sentence.view(5, 1, DIM)).shape == (5, 1)
    scores = phi.score(image.numpy(), sentence.numpy(), batch_size=2)
    np.testing.assert_allclose(scores, torch.sigmoid(slow).detach(), rtol=1e-5)


@pytest.mark.slow
def test_a_single_layer_learns_what_is_additive_and_nothing_of_the_match() -> None:
    train, val, test = (pairs(n, seed, "sentence") for n, seed in ((2000, 0), (500, 1), (500, 2)))
    assert auc(train_alignment(train, val, SETTINGS, seed=0)[0], test) > 0.99
    train, val, test = (pairs(n, seed, "cosine") for n, seed in ((2000, 0), (500, 1), (500, 2)))
    assert auc(train_alignment(train, val, SETTINGS, seed=0)[0], test) < 0.6
    assert auc(train_alignment(train, val, SETTINGS, seed=0, product=True)[0], test) > 0.97
    hidden = SETTINGS.model_copy(update={"hidden": 64})
    assert auc(train_alignment(train, val, hidden, seed=0)[0], test) > 0.75


def test_training_stops_early_at_the_best_epoch_and_keeps_its_weights() -> None:
    rng = np.random.default_rng(0)
    train, val = pairs(60, 0, "sentence"), pairs(300, 1, "sentence")
    train = replace(train, label=rng.permutation(train.label))  # nothing to learn but the noise
    settings = Alignment(epochs=200, patience=4, hidden=64, lr=1e-2)
    phi, history = train_alignment(train, val, settings, seed=0)
    best = history["val_loss"].idxmin()
    assert len(history) == best + 1 + 4 < 200
    confidence = phi.score(val.image, val.sentence)
    loss = -np.log(np.where(val.label == 1, confidence, 1 - confidence)).mean()
    assert loss == pytest.approx(history.loc[best, "val_loss"], abs=1e-6)


def test_the_same_seed_gives_the_same_phi_whatever_the_global_seed() -> None:
    train, val = pairs(300, 0, "sentence"), pairs(100, 1, "sentence")
    models = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(global_seed)
        models.append(train_alignment(train, val, Alignment(epochs=3, hidden=4), seed)[0].state_dict())
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
    assert not all(torch.equal(models[0][key], models[2][key]) for key in models[0])


def test_training_needs_both_classes() -> None:
    train = pairs(30, 0, "sentence")
    with pytest.raises(ValueError, match="the validation pairs are all of one class"):
        train_alignment(train, replace(train, label=np.zeros(30, np.int64)), SETTINGS, seed=0)


def test_the_threshold_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 80)
    confidence = np.round(np.clip(0.3 * label + rng.random(80) * 0.7, 0, 1), 2).astype(np.float32)
    every = {value: f1_score(label, confidence >= value) for value in np.unique(confidence)}
    threshold = best_threshold(label, confidence)
    assert f1_score(label, confidence >= threshold) == pytest.approx(max(every.values()))
    assert threshold == pytest.approx(max(value for value in every if every[value] == max(every.values())))


def test_phi_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    data = pairs(200, 0, "sentence")
    for hidden, product in ((0, False), (5, True)):
        phi, _ = train_alignment(data, data, Alignment(epochs=2, hidden=hidden), seed=0, product=product)
        phi.fingerprint = "clip one"
        phi.save(tmp_path)
        again = read_phi(tmp_path, "clip one")
        assert (again.threshold, again.hidden, again.product) == (phi.threshold, hidden, product)
        assert again.variant == phi.variant
        np.testing.assert_array_equal(again.score(data.image, data.sentence), phi.score(data.image, data.sentence))
    with pytest.raises(ValueError, match="trained on features of CLIP clip one"):
        read_phi(tmp_path, "clip two")
    with pytest.raises(ValueError, match="no Φ in"):
        read_phi(tmp_path / "nowhere")


def test_a_variant_names_the_form() -> None:
    names = [AlignmentClassifier(DIM, hidden, joined).variant for hidden, joined in ((0, False), (4, False), (4, True))]
    assert names == ["one layer on [v; s]", "hidden layer on [v; s]", "hidden layer on [v; s; v∘s]"]


def test_the_cosine_stands_in_for_phi(tmp_path: Path) -> None:
    data, phi = pairs(50, 0, "cosine"), CosinePhi(0.25, "clip one")
    cosine = (data.image * data.sentence).sum(axis=1)
    np.testing.assert_allclose(phi.score(data.image, data.sentence), np.maximum(cosine, 0), atol=1e-6)
    phi.save(tmp_path)
    assert read_phi(tmp_path, "clip one") == phi and phi.variant == "CLIP cosine"
    with pytest.raises(ValueError, match="of CLIP clip one"):
        read_phi(tmp_path, "clip two")


def test_scoring_refuses_arrays_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"two arrays \(n, 8\), not \(3, 8\) and \(2, 8\)"):
        AlignmentClassifier(DIM).score(np.zeros((3, DIM), np.float32), np.zeros((2, DIM), np.float32))
    assert AlignmentClassifier(DIM).score(*np.zeros((2, 0, DIM), np.float32)).shape == (0,)


def test_metrics_and_their_intervals_by_review() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400)
    confidence = np.clip(0.4 * label + 0.6 * rng.random(400), 0, 1).astype(np.float32)
    review = np.repeat([f"r{i}" for i in range(80)], 5).astype(object)
    facts = alignment_metrics(label, confidence, review, threshold=0.5)
    bounds = alignment_intervals(label, confidence, review, threshold=0.5, rounds=300)
    kept = confidence >= 0.5
    assert (facts["pairs"], facts["reviews"]) == (400, 80)
    assert facts["auc"] == pytest.approx(
        np.mean([a > b for a in confidence[label == 1] for b in confidence[label == 0]]), abs=1e-3
    )
    assert facts["precision"] == pytest.approx(label[kept].mean())
    assert facts["average_precision"] > 0.7
    assert facts["recall"] == pytest.approx(kept[label == 1].mean())
    assert facts["f1"] == pytest.approx(f1_score(label, kept))
    for name in ("auc", "f1"):
        low, high = bounds[f"{name}_interval"]
        assert low < facts[name] < high and high - low < 0.2
    # with every pair of a review alike, there is less to learn from: the interval has to be wider
    alike = np.repeat(np.arange(0, 400, 5), 5)
    wide = alignment_intervals(label[alike], confidence[alike], review, threshold=0.5, rounds=300)
    assert np.diff(wide["auc_interval"]) > 1.5 * np.diff(bounds["auc_interval"])
    half = alignment_intervals(label, confidence, review, threshold=0.5, rounds=300, confidence=0.5)
    assert np.diff(half["auc_interval"]) < 0.6 * np.diff(bounds["auc_interval"])


def test_curves_of_a_calibrated_and_of_an_overconfident_classifier() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(4000).astype(np.float32)
    label = (rng.random(4000) < confidence).astype(np.int64)
    curves = alignment_curves(label, confidence)
    calibration = curves[curves["curve"] == "calibration"]
    assert calibration["n"].tolist() == [400] * 10
    np.testing.assert_allclose(calibration["x"], calibration["y"], atol=0.08)
    recall = curves.loc[curves["curve"] == "precision_recall", "x"]
    assert recall.iloc[0] == 1 and recall.iloc[-1] == 0 and (np.diff(recall) <= 0).all()
    review = np.arange(4000).astype(str).astype(object)
    overconfident = np.where(confidence > 0.5, 0.99, 0.01).astype(np.float32)
    errors = [
        alignment_metrics(label, values, review, 0.5)["calibration_error"] for values in (confidence, overconfident)
    ]
    assert errors[0] < 0.05 and errors[1] > 0.2
