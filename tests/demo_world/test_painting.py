"""The painter: deterministic, every word visible, files whole or absent."""

from __future__ import annotations

import io
import os
import resource
import signal
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from showcase_utils.demo_world import vocabulary as words
from showcase_utils.demo_world.painting import paint, paint_all, save_photo
from showcase_utils.demo_world.scenes import Scene

TACOS = Scene(
    "dish",
    base="tacos",
    main="shrimp",
    preparation="grilled",
    toppings=("avocado",),
    sauce="salsa verde",
    vessel="red plate",
)
BOWL = {"kind": "dish", "base": "rice bowl", "main": "chicken", "preparation": "roasted", "vessel": "white bowl"}
ROOM = {"ambience": "rustic"}


def near(photo: Image.Image, colour: words.RGB, radius: float = 52.0) -> float:
    """Share of pixels within ``radius`` of a colour."""
    return float((np.linalg.norm(np.asarray(photo, np.float32) - colour, axis=2) < radius).mean())


def shown(colour: words.RGB, scenes: list[Scene], seeds: range) -> float:
    return float(np.mean([near(paint(scene, seed, 112), colour) for scene in scenes for seed in seeds]))


def farthest(table: dict[str, words.RGB], name: str) -> str:
    """The word whose colour is least like that of ``name``."""
    return max(table, key=lambda other: float(np.linalg.norm(np.subtract(table[other], table[name]))))


def one_of_each() -> list[Scene]:
    """One scene for every row of the vocabulary that a scene can name."""
    scenes = [Scene(**{**BOWL, "base": base}, toppings=("chili",), sauce="pesto") for base in words.BASES]
    scenes += [Scene(**{**BOWL, "main": main}) for main in words.MAINS]
    scenes += [Scene(**{**BOWL, "preparation": preparation}) for preparation in words.PREPARATIONS]
    scenes += [Scene(**BOWL, toppings=(topping,)) for topping in words.TOPPINGS]
    scenes += [Scene(**BOWL, sauce=sauce) for sauce in words.SAUCES]
    scenes += [Scene(**{**BOWL, "vessel": vessel}) for vessel in words.VESSELS]
    scenes += [Scene("drink", drink=drink) for drink in words.DRINKS]
    scenes += [Scene("dessert", dessert=dessert, vessel="blue plate") for dessert in words.DESSERTS]
    scenes += [Scene("interior", ambience=ambience) for ambience in words.AMBIENCES]
    scenes += [Scene("terrace", **ROOM, terrace=terrace) for terrace in words.TERRACES]
    scenes += [Scene("storefront", **ROOM, awning=awning) for awning in words.AWNINGS]
    return scenes


@pytest.mark.slow
def test_every_word_paints_an_rgb_photo_of_the_stated_size():
    sizes = set()
    for seed, scene in enumerate(one_of_each()):
        photo = paint(scene, seed)
        assert photo.mode == "RGB"
        assert 96 <= photo.width <= 128 and 96 <= photo.height <= 128
        assert np.asarray(photo, np.float32).std() > 20, scene
        sizes.add(photo.size)
    assert len(sizes) > 40 and any(w != h for w, h in sizes)


def test_size_is_the_side_of_a_square():
    assert paint(TACOS, 0, 96).size == (96, 96)
    for wrong in (95, 129):
        with pytest.raises(ValueError, match=str(wrong)):
            paint(TACOS, 0, wrong)


def test_same_seed_same_pixels_and_other_seeds_other_pixels():
    photos = [paint(TACOS, seed).tobytes() for seed in (5, 5, 6, 7)]
    assert photos[0] == photos[1]
    assert len(set(photos)) == 3
    assert paint(TACOS, np.random.default_rng(5)).tobytes() == photos[0]


TABLES = (
    ("BASES", BOWL, "base"),
    ("MAINS", BOWL, "main"),
    ("PREPARATIONS", BOWL, "preparation"),
    ("VESSELS", BOWL, "vessel"),
    ("TOPPINGS", {**BOWL, "base": "flatbread"}, "toppings"),
    ("SAUCES", {**BOWL, "base": "fries"}, "sauce"),
    ("DRINKS", {"kind": "drink"}, "drink"),
    ("DESSERTS", {"kind": "dessert"}, "dessert"),
    ("AMBIENCES", {"kind": "interior"}, "ambience"),
    ("TERRACES", {"kind": "terrace", **ROOM}, "terrace"),
    ("AWNINGS", {"kind": "storefront", **ROOM}, "awning"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("table", "rest", "field"), TABLES, ids=[table for table, _, _ in TABLES])
def test_rows_of_a_table_look_different(table, rest, field):
    """Under one seed light and grain are the same, so what differs is what the word names."""
    photos = {}
    for row in getattr(words, table):
        scene = Scene(**{**rest, field: (row,) if field == "toppings" else row})
        photos[row] = np.asarray(paint(scene, 2, 112), np.float32)
    for a, b in combinations(photos, 2):
        changed = (np.abs(photos[a] - photos[b]).max(axis=2) > 25).mean()
        assert changed > 0.005, f"{a} looks like {b}"


@pytest.mark.slow
@pytest.mark.parametrize("main", words.MAINS)
def test_the_main_ingredient_shows_its_colour(main):
    colours = {name: piece.colour for name, piece in words.MAINS.items()}
    bases = ("tacos", "burger", "pizza", "skewers", "salad", "stew", "paella")

    def plates(name: str) -> list[Scene]:
        return [Scene(**{**BOWL, "base": base, "main": name}) for base in bases]

    own, other = (
        shown(colours[main], plates(main), range(3)),
        shown(colours[main], plates(farthest(colours, main)), range(3)),
    )
    assert own - other > 0.01, (own, other)


@pytest.mark.slow
@pytest.mark.parametrize("base", words.BASES)
def test_the_main_ingredient_shows_on_every_base(base):
    salmon, spinach = ([Scene(**{**BOWL, "base": base, "main": main})] for main in ("salmon", "spinach"))
    colour = words.MAINS["salmon"].colour
    own, other = shown(colour, salmon, range(6)), shown(colour, spinach, range(6))
    assert own - other > 0.015, (own, other)


@pytest.mark.slow
@pytest.mark.parametrize("topping", words.TOPPINGS)
def test_a_topping_shows_its_colour(topping):
    piece = words.TOPPINGS[topping]
    base = "stew" if sum(piece.colour) > 330 else "risotto"  # a ground unlike the topping
    bare = shown(piece.colour, [Scene(**{**BOWL, "base": base})], range(6))
    topped = shown(piece.colour, [Scene(**{**BOWL, "base": base}, toppings=(topping,))], range(6))
    assert topped - bare > 0.003, (topped, bare)


@pytest.mark.slow
@pytest.mark.parametrize("sauce", words.SAUCES)
def test_a_sauce_shows_its_colour(sauce):
    colour = words.SAUCES[sauce]
    scenes = [Scene(**{**BOWL, "base": base, "vessel": "slate"}, sauce=sauce) for base in ("pasta", "tacos", "fries")]
    unlike = farthest(words.SAUCES, sauce)
    others = [Scene(**{**BOWL, "base": base, "vessel": "slate"}, sauce=unlike) for base in ("pasta", "tacos", "fries")]
    own, other = shown(colour, scenes, range(4)), shown(colour, others, range(4))
    assert own - other > 0.006, (own, other)


@pytest.mark.parametrize("awning", words.AWNINGS)
def test_an_awning_shows_its_colour(awning):
    colour = words.AWNINGS[awning]
    own = shown(colour, [Scene("storefront", **ROOM, awning=awning)], range(6))
    other = shown(colour, [Scene("storefront", **ROOM, awning=farthest(words.AWNINGS, awning))], range(6))
    assert own - other > 0.04, (own, other)


@pytest.mark.parametrize(
    ("scene", "word"),
    [
        (Scene("mural"), "mural"),
        (Scene(**{**BOWL, "base": "cloud"}), "cloud"),
        (Scene(**{**BOWL, "main": "unicorn"}), "unicorn"),
        (Scene(**BOWL, toppings=("chili", "gold")), "gold"),
        (Scene(**BOWL, sauce="glue"), "glue"),
        (Scene("drink", drink="ink"), "ink"),
        (Scene("interior"), "ambience"),
    ],
)
def test_an_unknown_word_is_named(scene, word, tmp_path):
    with pytest.raises(ValueError, match=word):
        paint(scene, 0)
    with pytest.raises(ValueError, match=word):
        paint_all([(TACOS, 0, tmp_path / "a.jpg"), (scene, 1, tmp_path / "b.jpg")], workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_saved_photo_is_a_jpeg_with_the_same_bytes_for_the_same_seed(tmp_path):
    for name, seed in (("a.jpg", 3), ("b.jpg", 3), ("c.jpg", 4)):
        save_photo(TACOS, seed, tmp_path / "folder" / name)
    a, b, c = ((tmp_path / "folder" / name).read_bytes() for name in ("a.jpg", "b.jpg", "c.jpg"))
    assert a == b != c
    photo = Image.open(io.BytesIO(a))
    assert photo.format == "JPEG"
    assert np.abs(np.asarray(photo, np.float32) - np.asarray(paint(TACOS, 3), np.float32)).mean() < 12


def test_paint_all_keeps_finished_files_and_paints_the_missing_ones(tmp_path):
    jobs = [(scene, seed, tmp_path / f"{seed}.jpg") for seed, scene in enumerate(one_of_each()[:5])]
    (tmp_path / "2.jpg").write_bytes(b"painted yesterday")
    paint_all(jobs, workers=1, progress=False)
    assert (tmp_path / "2.jpg").read_bytes() == b"painted yesterday"
    for scene, seed, path in jobs:
        if seed != 2:
            save_photo(scene, seed, tmp_path / "again.jpg")
            assert path.read_bytes() == (tmp_path / "again.jpg").read_bytes()


@pytest.mark.slow
def test_processes_paint_the_same_files(tmp_path):
    scenes = one_of_each()
    jobs = [(scenes[i % len(scenes)], i, tmp_path / "many" / f"{i}.jpg") for i in range(130)]
    paint_all(jobs, workers=2, progress=False)
    assert len(list((tmp_path / "many").iterdir())) == 130
    for scene, seed, path in jobs[::43]:
        save_photo(scene, seed, tmp_path / "again.jpg")
        assert path.read_bytes() == (tmp_path / "again.jpg").read_bytes()


def test_an_interrupted_photo_leaves_no_file(tmp_path, monkeypatch):
    def cut_off(self, content):
        with self.open("wb") as file:
            file.write(content[:9])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    with pytest.raises(KeyboardInterrupt):
        paint_all([(TACOS, 0, tmp_path / "a.jpg")], workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits are those of a process")
def test_a_photo_without_room_is_an_error_and_no_file(tmp_path):
    path, scene = tmp_path / "photo.jpg", Scene("drink", drink="mojito")
    save_photo(scene, 0, path)
    room = path.stat().st_size - 1
    path.unlink()
    if not (child := os.fork()):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        try:
            save_photo(scene, 0, path)
        except OSError:
            os._exit(3)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert not list(tmp_path.iterdir())
