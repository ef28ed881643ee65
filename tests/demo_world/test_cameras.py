from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from showcase_utils.demo_world.cameras import FARTHEST, SPREAD, TRAITS, Look, hand_out, look_through
from showcase_utils.demo_world.painting import Job, paint, paint_all, save_photo
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.visits import World, imagine

CITY = {"restaurants": 16, "users": 120, "reviews": 420, "photos": 640}
DISH = Scene("dish", "tacos", "shrimp", "grilled", ("avocado",), "salsa verde", "red plate")


@pytest.fixture(scope="module")
def city() -> World:
    return imagine(7, **CITY)


def test_nothing_but_the_looks_depends_on_the_signature(city):
    def without_looks(world: World) -> World:
        reviews = (replace(r, photos=tuple(replace(p, look=None) for p in r.photos)) for r in world.reviews)
        return replace(world, reviews=tuple(reviews))

    none, strong = imagine(7, **CITY, signature=0.0), imagine(7, **CITY, signature=2.0)
    assert none == without_looks(none) == without_looks(city) == without_looks(strong)
    assert city != strong
    for one, two in zip(city.reviews, strong.reviews, strict=True):
        for a, b in zip(one.photos, two.photos, strict=True):
            assert b.look.warmth == pytest.approx(2 * a.look.warmth)
            assert b.look.filter == a.look.filter


def test_without_a_signature_photos_are_what_the_light_of_the_place_makes_of_them(tmp_path):
    save_photo(DISH, 3, tmp_path / "plain.jpg")
    paint_all([Job(DISH, 3, tmp_path / "none.jpg", None)], workers=1, progress=False)
    save_photo(DISH, 3, tmp_path / "seen.jpg", Look(warmth=0.2))
    plain = (tmp_path / "plain.jpg").read_bytes()
    assert plain == (tmp_path / "none.jpg").read_bytes() != (tmp_path / "seen.jpg").read_bytes()
    zeros = np.abs(np.asarray(paint(DISH, 3), float) - np.asarray(paint(DISH, 3, look=Look()), float))
    assert zeros.max() <= 1  # rounding


def test_a_person_is_steady_and_people_differ(town):
    of: dict[str, list[list[float]]] = {}
    for review in town.reviews:
        of.setdefault(review.user_id, []).extend([getattr(p.look, name) for name in TRAITS] for p in review.photos)
    many = [np.array(looks) for looks in of.values() if len(looks) >= 8]
    within = np.mean([looks.var(axis=0) for looks in many], axis=0)
    between = np.var([looks.mean(axis=0) for looks in many], axis=0)
    assert (between > 1.5 * within).all()
    assert (within > 0).all()  # steady, not frozen


def test_habits_drift(town):
    """Photos of neighbouring visits are more alike than those of a person's first and last visit."""
    visits: dict[str, list[np.ndarray]] = {}
    for review in town.reviews:
        angles = [p.look.angle / SPREAD["angle"] for p in review.photos]
        visits.setdefault(review.user_id, []).append(np.mean(angles))
    frequent = [np.array(v) for v in visits.values() if len(v) >= 12]
    near = np.mean([np.mean((v[1:] - v[:-1]) ** 2) for v in frequent])
    far = np.mean([np.mean((v[-3:] - v[:3]) ** 2) for v in frequent])
    assert far > 1.5 * near


def test_cameras_know_nothing_of_tastes(town):
    traits = np.array([list(p.camera.traits.values()) for p in town.people])
    tastes = np.array([list(p.tastes.cuisines.values()) + [p.tastes.heat, p.visits] for p in town.people])
    count = traits.shape[1]
    across = np.corrcoef(traits.T, tastes.T)[:count, count:]
    assert np.abs(across).max() < 4.5 / np.sqrt(len(traits))


def test_draws_do_not_depend_on_the_strength():
    camera = hand_out(1, np.random.default_rng(0))[0]
    states = []
    for signature in (0.0, 0.5, 3.0):
        rng = np.random.default_rng(1)
        look_through(camera, np.zeros(len(TRAITS)), signature, rng)
        states.append(rng.bit_generator.state["state"])
    assert states[0] == states[1] == states[2]


def test_a_look_stays_within_reach():
    rng = np.random.default_rng(0)
    looks = [look_through(camera, np.full(len(TRAITS), 9.0), 1.0, rng) for camera in hand_out(50, rng)]
    assert all(look.angle <= FARTHEST * SPREAD["angle"] + 1e-9 for look in looks)
    assert all(look.closeness >= 0 for look in looks)


@pytest.mark.parametrize(
    ("look", "measure"),
    [
        (Look(warmth=0.2), lambda p: p[..., 0].mean() - p[..., 2].mean()),
        (Look(tint=0.1), lambda p: p[..., 1].mean() - p[..., 0].mean()),
        (Look(exposure=0.3), lambda p: p.mean()),
        (Look(contrast=0.3), lambda p: p.mean(axis=2).std()),
        (Look(saturation=0.3), lambda p: (p.max(axis=2) - p.min(axis=2)).mean()),
        (Look(sharpness=1.0), lambda p: np.abs(np.diff(p, axis=1)).mean()),
        (Look(sharpness=-1.0), lambda p: -np.abs(np.diff(p, axis=1)).mean()),
        (Look(aspect=0.3), lambda p: p.shape[1] / p.shape[0]),
        (Look(filter="vignette", filter_strength=1.0), lambda p: p[40:70, 40:70].mean() - p[:12, :12].mean()),
        (Look(filter="warm", filter_strength=1.0), lambda p: p[..., 0].mean() - p[..., 2].mean()),
        (Look(filter="cold", filter_strength=1.0), lambda p: p[..., 2].mean() - p[..., 0].mean()),
        (Look(filter="faded", filter_strength=1.0), lambda p: np.quantile(p, 0.02)),
    ],
    ids=lambda value: None if callable(value) else "-".join(k for k, v in vars(value).items() if v),
)
def test_a_look_does_what_it_says(look, measure):
    plain, seen = (np.asarray(paint(DISH, seed=5, look=x), np.float32) for x in (None, look))
    assert measure(seen) > measure(plain)


def test_framing_moves_the_picture_and_shows_no_edge():
    room = Scene("interior", ambience="modern")  # bright up to its edges
    for look in (Look(angle=9.0, right=0.1, down=-0.1), Look(angle=-9.0), Look(closeness=0.3, right=-0.08)):
        plain, seen = (np.asarray(paint(room, 2, 112, look=x), np.float32) for x in (None, look))
        assert np.abs(plain - seen).mean() > 5
        assert seen.max(axis=2).min() > 10  # what lies outside a picture would be black


def test_a_camera_keeps_files_within_their_sizes():
    for aspect in (-0.9, 0.9):
        photo = paint(DISH, 1, look=Look(aspect=aspect))
        assert 96 <= photo.width <= 128 and 96 <= photo.height <= 128
