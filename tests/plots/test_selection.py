"""Figures of selection show what they are given: the right photos, marks and numbers."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from showcase_utils.plots import selection, selection_results


@pytest.fixture(scope="module")
def thumbnails(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [str(folder / f"{shade}.png") for shade in range(6)]
    for shade, path in enumerate(paths):
        Image.new("RGB", (8, 8), (40 * shade, 0, 0)).save(path)
    return paths


def _photos(figure) -> list[int]:
    return [int(axis.images[0].get_array()[0, 0, 0]) // 40 for axis in figure.axes if axis.images]


def test_kernel_heatmap_puts_own_photos_first():
    L = np.arange(9.0).reshape(3, 3)
    figure = selection.kernel_heatmaps({"now": L}, np.array([False, False, True]))
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), L[np.ix_([2, 0, 1], [2, 0, 1])])


def test_volumes_are_root_determinants():
    pair, three = np.array([[1.0, 0.6], [0.6, 1.0]]), np.diag([1.0, 4.0, 9.0])
    titles = [axis.get_title() for axis in selection.volumes({"pair": pair, "three": three}).axes]
    assert "area 0.800" in titles[0] and "volume 6.000" in titles[1]


def test_greedy_steps_show_the_picked_photos(thumbnails):
    residuals = np.array([[0.0, 1, 2, 3, 4, 5], [-1, 0.5, 1, 2, 3, np.nan]])
    own = np.array([True, False, False, False, False, False])
    figure = selection.greedy_steps(thumbnails, [5, 4], residuals, own)
    assert _photos(figure) == [5, 4]


def test_showcases_and_strips_show_photos_in_order(thumbnails):
    rows = [("a", thumbnails[:2], thumbnails[2:4], [True, False]), ("b", thumbnails[4:5], thumbnails[5:6], [False])]
    figure = selection.showcases(rows, past=2)
    assert _photos(figure) == [0, 1, 2, 3, 4, 5]
    frames = [axis.spines["left"].get_edgecolor()[:3] for axis in figure.axes if axis.images]
    assert frames[2] == selection.OWN and frames[3] == selection.REST
    strips = selection.photo_strips({"x": thumbnails[:1], "y": thumbnails[3:5]}, set())
    assert _photos(strips) == [0, 3, 4]


def test_cloud_rings_the_chosen():
    features = np.random.default_rng(0).normal(size=(10, 5))
    figure = selection.candidate_cloud(features, np.arange(10) < 2, {"dpp": [3, 7], "random": [1, 2]})
    points, own, rings = figure.axes[0].collections
    assert len(points.get_offsets()) == 8 and len(own.get_offsets()) == 2
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2"]
    plane = np.concatenate([own.get_offsets(), points.get_offsets()])
    np.testing.assert_allclose(rings.get_offsets(), plane[[3, 7]])


def test_slider_needs_a_live_notebook(thumbnails, monkeypatch):
    strips = {0.0: thumbnails[:2], 0.5: thumbnails[2:4], 1.0: thumbnails[4:6]}
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert "Jupyter" in selection.theta_slider(strips)
    monkeypatch.setenv("JPY_SESSION_NAME", "03.ipynb")
    slider, row = selection.theta_slider(strips).children
    before = [image.value for image in row.children]
    slider.value = 1.0
    after = [image.value for image in row.children]
    for path, value in zip(thumbnails[2:], before + after, strict=True):
        with open(path, "rb") as file:
            assert value == file.read()


def test_result_figures_draw_every_line():
    history = pd.DataFrame(
        {"objective": "dpp", "profile": ["img", "img", "text", "text"], "seed": 0, "epoch": [0, 1] * 2}
        | {"train_loss": [3, 2, 3, 2], "val_loss": [3, 2, 3, 4], "alpha": 0.9, "sigma": [0.5, 0.6, 0.5, 0.4]}
        | {"best": [False, True, True, False]}
    )
    assert [axis.get_title() for axis in selection_results.training_curves(history).axes] == ["img", "text"]
    similarity = selection_results.learned_similarity(history, np.linspace(0, 1, 50)).axes[0]
    assert [line.get_label() for line in similarity.lines][1] == "img: α = 0.900, σ = 0.60"

    index = pd.MultiIndex.from_tuples([("dpp", "img"), ("random", "none")], names=["method", "profile"])
    values = {"f1": [0.3, 0.1], "f1_low": [0.2, 0.05], "f1_high": [0.4, 0.2], "samples": 9}
    values |= {"diversity": 0.5, "diversity_low": 0.4, "diversity_high": 0.6}
    values |= {name: [0.55, np.nan] for name in ("auc", "auc_low", "auc_high")}
    table = pd.DataFrame(values, index=index)
    drawn = selection_results.method_intervals(table).axes[0]
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["random", "dpp · img"]
    ceiling = pd.concat([table, table.iloc[:1].rename({"dpp": "oracle", "img": "none"}).assign(f1=0.9)])
    drawn = selection_results.method_intervals(ceiling).axes[0]
    assert "oracle: 0.90" in drawn.get_title() and len(drawn.get_yticklabels()) == 2

    curves = pd.DataFrame(
        [
            {"method": method, "profile": profile, "k": k, "precision": 1 / k, "recall": k, "f1": 0.5}
            | dict.fromkeys(["diversity", "diversity_low", "diversity_high"], 0.5 if k > 1 else np.nan)
            | {"f1_low": 0.4, "f1_high": 0.6}
            for method, profile in [("dpp", "img"), ("random", "none"), ("dpp", "text")]
            for k in (1, 2, 3)
        ]
    )
    axes = selection_results.curves_over_k(curves, profile="img").axes
    lines = {line.get_label(): line.get_ydata() for line in axes[2].lines if len(line.get_ydata())}
    np.testing.assert_allclose(lines["dpp"], 0.5)
    assert set(lines) == {"dpp", "random"}
    bands = [band.get_paths()[0].vertices[:, 1] for band in axes[2].collections]
    assert [(heights.min(), heights.max()) for heights in bands] == [(0.4, 0.6)] * 2

    thetas = pd.DataFrame(
        [
            {"method": method, "profile": "img", "seed": 0, "theta": theta, "f1": theta, "diversity": 1 - theta}
            for method in ("dpp_learned", "mmr_learned", "dpp_cosine", "mmr_cosine")
            for theta in (0.0, 0.5, 0.9)
        ]
    )
    line = selection_results.trade_off(thetas, table, ["img"]).axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [0, 0.5, 0.9])

    banded = pd.concat({"1–10": table, "11–20": table + 0.1}, names=["pool"]).reset_index("pool")
    bands = pd.Categorical(banded.pop("pool"), ["1–10", "11–20"])
    banded = banded.set_index(pd.Index(bands, name="pool"), append=True)
    panel = selection_results.strata({"pool": banded}, [("dpp", "img")]).axes[0]
    assert [label.get_text().split("\n")[0] for label in panel.get_xticklabels()] == ["1–10", "11–20"]
