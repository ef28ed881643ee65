"""Figures of selection show what they are given: the right photos, marks and numbers."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from showcase_utils.plots import selection, selection_results


def test_kernel_heatmap_puts_own_photos_first():
    L = np.arange(16.0).reshape(4, 4)
    order = [3, 0, 1, 2]
    figure = selection.kernel_heatmaps({"now": L}, np.array([False, False, False, True]))
    bars, heat = figure.axes[:2]
    assert [bar.get_height() for bar in bars.patches] == L.diagonal()[order].tolist()
    shown = heat.images[0].get_array().filled(-1)
    np.testing.assert_array_equal(shown, np.where(np.eye(4), -1, L[np.ix_(order, order)]))


def test_a_kernel_of_nearly_equal_entries_still_shows_a_pattern():
    entries = 0.24 + 0.002 * np.random.default_rng(0).random((30, 30))
    L = entries + entries.T + 5 * np.eye(30)  # a diagonal far above the rest
    figure = selection.kernel_heatmaps({"now": L}, np.arange(30) < 1)
    image = figure.axes[1].images[0]
    shades = image.norm(image.get_array().compressed())
    assert np.ptp(shades) >= 1 and shades.std() > 0.2, "all in one colour"
    assert 0 < figure.facts["now spread"] < 0.01


def test_volumes_are_root_determinants():
    pair, three = np.array([[1.0, 0.6], [0.6, 1.0]]), np.diag([1.0, 4.0, 9.0])
    figure = selection.volumes({"pair": pair, "three": three})
    titles = [axis.get_title() for axis in figure.axes]
    assert "area 0.800" in titles[0] and "volume 6.000" in titles[1]
    assert figure.facts == pytest.approx({"pair": 0.8, "three": 6.0})


def test_greedy_steps_show_the_picked_photos(photos):
    residuals = np.array([[0.0, 1, 2, 3, 4, 5], [-1, 0.5, 1, 2, 3, np.nan]])
    own = np.array([True, False, False, False, False, False])
    figure = selection.greedy_steps(photos[:6], [5, 3], residuals, own)
    shown = [axis.artists[0].offsetbox.get_data()[0, 0, 0] // 30 for axis in figure.axes]
    assert shown == [5, 3] and figure.facts == {"rank 1": 1, "rank 2": 3}


def test_showcases_and_strips_show_photos_in_order(photos, numbers):
    rows = [("a", photos[:2], photos[2:4], [True, False]), ("b", photos[4:5], photos[5:6], [False])]
    page = selection.showcases(rows, past=2)
    assert numbers(page) == [0, 1, 2, 3, 4, 5]
    green = to_rgba(selection.OWN)
    frames = [patch.get_edgecolor() == green for patch in page.sheet.patches]
    assert frames == [False, False, True, False, False, False]
    strips = selection.photo_strips({"x": photos[:1], "y": photos[3:5]}, {photos[4]})
    assert numbers(strips) == [0, 3, 4]
    assert [patch.get_edgecolor() == green for patch in strips.sheet.patches] == [False, False, True]


def test_cloud_rings_the_chosen():
    features = np.random.default_rng(0).normal(size=(10, 5))
    figure = selection.candidate_cloud(features, np.arange(10) < 2, {"dpp": [3, 7], "random": [1, 2]})
    points, own, rings = figure.axes[0].collections
    assert len(points.get_offsets()) == 8 and len(own.get_offsets()) == 2
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2"]
    plane = np.concatenate([own.get_offsets(), points.get_offsets()])
    np.testing.assert_allclose(rings.get_offsets(), plane[[3, 7]])


def test_slider_needs_a_live_notebook(photos, monkeypatch):
    strips = {0.0: photos[:2], 0.5: photos[2:4], 1.0: photos[4:6]}
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert "Jupyter" in selection.theta_slider(strips)
    monkeypatch.setenv("JPY_SESSION_NAME", "03.ipynb")
    slider, row = selection.theta_slider(strips).children
    before = [image.value for image in row.children]
    slider.value = 1.0
    after = [image.value for image in row.children]
    for path, value in zip(photos[2:6], before + after, strict=True):
        with open(path, "rb") as file:
            assert value == file.read()


def test_result_figures_draw_every_line():
    history = pd.DataFrame(
        {"objective": "dpp", "profile": ["img", "img", "text", "text"], "seed": 0, "epoch": [0, 1] * 2}
        | {"train_loss": [3, 2, 3, 2], "val_loss": [3, 2, 3, 4], "alpha": 0.9, "sigma": [0.5, 0.6, 0.5, 0.4]}
        | {"best": [False, True, True, False]}
    )
    assert [axis.get_title("left") for axis in selection_results.training_curves(history).axes] == ["img", "text"]
    figure = selection_results.learned_similarity(history, np.linspace(0, 1, 50))
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines][1] == "img: α = 0.900, σ = 0.60"
    assert len({str(line.get_linestyle()) for line in lines}) == 3, "curves that coincide must still be told apart"
    assert figure.facts["gap"] == pytest.approx(np.abs(lines[1].get_ydata() - lines[2].get_ydata()).max())

    index = pd.MultiIndex.from_tuples([("dpp", "img"), ("random", "none")], names=["method", "profile"])
    values = {"f1": [0.3, 0.1], "f1_low": [0.2, 0.05], "f1_high": [0.4, 0.2], "samples": 9}
    values |= {"diversity": 0.5, "diversity_low": 0.4, "diversity_high": 0.6}
    values |= {name: [0.55, np.nan] for name in ("auc", "auc_low", "auc_high")}
    table = pd.DataFrame(values, index=index)
    drawn = selection_results.method_intervals(table, 5).axes[0]
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["dpp · img", "random"]
    assert drawn.get_title("left") == "F1@5"
    ceiling = pd.concat([table, table.iloc[:1].rename({"dpp": "oracle", "img": "none"}).assign(f1=0.9)])
    drawn = selection_results.method_intervals(ceiling, 3).axes[0]
    assert "oracle: 0.90" in drawn.get_title("left") and len(drawn.get_yticklabels()) == 2

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
            for method in ("dpp", "mmr_learned", "dpp_cosine", "another")
            for theta in (0.0, 0.5, 0.9)
        ]
    )
    line = selection_results.relevance_against_diversity(thetas, table, ["img"], 3).axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [0, 0.5, 0.9])

    banded = pd.concat({"1–10": table, "11–20": table + 0.1}, names=["pool"]).reset_index("pool")
    bands = pd.Categorical(banded.pop("pool"), ["1–10", "11–20"])
    banded = banded.set_index(pd.Index(bands, name="pool"), append=True)
    panel = selection_results.strata({"pool": banded}, [("dpp", "img")], 3).axes[0]
    assert [label.get_text().split("\n")[0] for label in panel.get_xticklabels()] == ["1–10", "11–20"]


def test_methods_look_the_same_in_every_figure_and_never_alike():
    names = [
        "dpp",
        "top_k_learned",
        "mmr_learned",
        "bpr",
        "metric",
        "metric_dpp",
        "dpp_cosine",
        "top_k_cosine",
        "mmr_cosine",
    ]
    names += ["k_medoids", "random", "somebody_elses", "one_more"]
    looks = selection_results.method_looks(names)
    assert len({(str(style["color"]), style["marker"]) for style in looks.values()}) == len(names)
    assert selection_results.method_looks(["random", "dpp"]) == {name: looks[name] for name in ("random", "dpp")}


def test_the_dose_response_has_every_method_at_every_strength():
    rows = [
        (strength, method, metric, 0.5 + strength / 10 + place, 0.4, 0.9)
        for strength in (2.0, 0.0, 1.0) for place, method in enumerate(["dpp", "informed"]) for metric in ("AUC", "F1")
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["strength", "method", "metric", "value", "low", "high"])
    figure = selection_results.dose_response(table, {"AUC": 0.5, "F1": 0.03})
    assert [axis.get_title("left") for axis in figure.axes] == ["AUC", "F1"]
    chance, dpp, informed = figure.axes[1].lines
    assert list(chance.get_ydata()) == [0.03, 0.03]
    np.testing.assert_allclose(dpp.get_ydata(), [0.5, 0.6, 0.7])
    assert (np.abs(dpp.get_xdata() - [0, 1, 2]) < 0.1).all() and (dpp.get_xdata() != informed.get_xdata()).all()
