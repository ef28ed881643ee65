"""Terraces and storefronts."""

from __future__ import annotations

import math
import random

from showcase_utils.demo_world.painting.canvas import WHITE, mix, shade
from showcase_utils.demo_world.painting.stage import Stage, bulb_string, candle, plant, table
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import AMBIENCES, AWNINGS, RGB, TERRACES, Ambience

DAY, DUSK = ((126, 190, 240), (222, 238, 248)), ((48, 54, 104), (236, 150, 110))
GRASS: RGB = (112, 164, 84)


def paint_terrace(scene: Scene, rng: random.Random, width: int, height: int) -> Stage:
    room, feature = AMBIENCES[scene.ambience], TERRACES[scene.terrace]
    evening = feature in ("string_lights", "fire_pit")
    stage = Stage(rng, width, height, DAY[0])
    horizon = rng.uniform(0.42, 0.48)
    stage.gradient(-0.2, horizon, *(DUSK if evening else DAY))
    _skyline(stage, horizon, evening)
    BACKS[feature](stage, room, horizon)
    deck = mix(room.wood, (150, 118, 88), 0.35)
    start = horizon + (0.24 if feature == "river" else 0.06)
    stage.boards(start, shade(deck, 0.72) if evening else deck)
    _house(stage, room, start)
    seat = room.accent
    spots = [(rng.uniform(0.26, 0.4), start + 0.15, 0.66), (rng.uniform(0.7, 0.84), start + 0.18, 0.72)]
    if feature != "fire_pit":
        spots.append((rng.uniform(0.4, 0.62), rng.uniform(0.93, 0.99), 1.2))
    for u, v, k in spots:
        top = table(stage, u, v, k, room, None, seat)
        if evening:
            candle(stage, *top, k * 0.6)
        if feature == "umbrellas":
            _umbrella(stage, *top, k, room)
    if feature in FRONTS:
        FRONTS[feature](stage, room)
    return stage


def _skyline(stage: Stage, horizon: float, evening: bool) -> None:
    rng, u = stage.rng, -0.1
    tone = (58, 52, 84) if evening else (176, 190, 202)
    while u < 1.1:
        w, h = rng.uniform(0.08, 0.16), rng.uniform(0.05, 0.17)
        stage.box(u, horizon - h, u + w, horizon + 0.02, shade(tone, rng.uniform(0.9, 1.1)))
        for i in range(2):
            if rng.random() < 0.7:
                x, y = u + w * (0.3 + 0.4 * i), horizon - h * rng.uniform(0.4, 0.8)
                stage.box(x, y, x + 0.015, y + 0.02, (255, 214, 120) if evening else (210, 226, 238))
        u += w
    if not evening:
        for _ in range(3):
            x, y = rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.22)
            for d, r in ((-0.05, 0.03), (0.0, 0.042), (0.055, 0.03)):
                stage.oval(x + d, y, r * 1.4, r * 0.7, WHITE, 200)


def _house(stage: Stage, room: Ambience, start: float) -> None:
    """The restaurant's wall at one side, in its ambience's colours."""
    edge = stage.rng.uniform(0.14, 0.2)
    stage.shape([(-0.2, -0.3), (edge, -0.12), (edge, start), (-0.2, start + 0.3)], room.wall)
    stage.shape([(edge, -0.12), (edge + 0.015, -0.12), (edge + 0.015, start), (edge, start)], shade(room.wall, 0.7))
    stage.shape(
        [(0.0, 0.12), (edge - 0.03, 0.14), (edge - 0.03, start - 0.02), (0.0, start + 0.1)], shade(room.accent, 0.9)
    )
    stage.shape(
        [(0.015, 0.15), (edge - 0.045, 0.17), (edge - 0.045, start - 0.1), (0.015, start - 0.06)], (255, 226, 160)
    )


def _no_back(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.box(-0.2, horizon - 0.02, 1.2, horizon + 0.08, GRASS)
    for i in range(12):
        stage.oval(i * 0.1, horizon, 0.07, 0.035, shade(GRASS, stage.rng.uniform(0.7, 0.95)))


def _dusk_back(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.box(-0.2, horizon - 0.01, 1.2, horizon + 0.08, (44, 62, 58))
    for i in range(12):
        stage.oval(i * 0.1, horizon, 0.07, 0.045, shade((48, 74, 62), stage.rng.uniform(0.7, 1.1)))


def _river(stage: Stage, room: Ambience, horizon: float) -> None:
    """Water between the skyline and the deck, with glitter and a boat."""
    stage.box(-0.2, horizon - 0.015, 1.2, horizon + 0.03, GRASS)
    stage.gradient(horizon + 0.015, horizon + 0.26, (70, 140, 196), (40, 100, 160))
    for _ in range(30):
        u, v = stage.rng.uniform(0, 1), stage.rng.uniform(horizon + 0.03, horizon + 0.23)
        stage.stroke([(u, v), (u + stage.rng.uniform(0.03, 0.09), v)], (190, 224, 244), 0.009, 190)
    u, v = stage.rng.uniform(0.4, 0.8), horizon + 0.1
    stage.shape([(u - 0.09, v), (u + 0.09, v), (u + 0.06, v + 0.04), (u - 0.06, v + 0.04)], (150, 60, 44))
    stage.shape([(u, v - 0.01), (u, v - 0.16), (u + 0.075, v - 0.02)], (252, 250, 244))
    stage.stroke([(u - 0.006, v), (u - 0.006, v - 0.17)], (90, 60, 40), 0.009)


def _umbrella(stage: Stage, u: float, v: float, k: float, room: Ambience) -> None:
    """A striped parasol over a table top."""
    top, tones = v - 0.36 * k, (room.accent, (252, 248, 238))
    stage.stroke([(u, v), (u, top)], (120, 90, 64), 0.018 * k)
    rim = [(u - 0.27 * k + 0.09 * k * i, v - 0.2 * k + 0.03 * k * math.sin(math.pi * i / 6)) for i in range(7)]
    for i in range(6):
        stage.shape([rim[i], rim[i + 1], (u, top)], shade(tones[i % 2], 0.82 + 0.04 * i))
    stage.oval(u, top, 0.014 * k, 0.014 * k, (120, 90, 64))


def _string_front(stage: Stage, room: Ambience) -> None:
    for u in (0.2, 0.97):
        stage.stroke([(u, 0.02), (u, 0.62)], (50, 38, 34), 0.02)
    bulb_string(stage, 0.2, 0.97, 0.03, 0.09, 8, (30, 24, 28), 1.15)
    bulb_string(stage, 0.02, 1.1, 0.14, 0.12, 9, (30, 24, 28), 1.25)
    bulb_string(stage, -0.1, 0.97, 0.01, 0.24, 9, (30, 24, 28), 1.0)


def _plants_front(stage: Stage, room: Ambience) -> None:
    rng = stage.rng
    for i in range(11):
        u, drop = 0.04 + 0.095 * i, rng.uniform(0.08, 0.24)
        vine = [(u + 0.015 * math.sin(j * 1.4 + i), -0.05 + (drop + 0.05) * j / 5) for j in range(6)]
        stage.stroke(vine, (52, 100, 50), 0.012)
        for x, y in vine[1:]:
            for side in (-0.02, 0.02):
                stage.oval(x + side, y, 0.022, 0.014, shade((74, 150, 72), rng.uniform(0.75, 1.25)))
    for u, v, k in (
        (0.22, 0.58, 0.9),
        (0.95, 0.62, 1.2),
        (0.02, 0.82, 1.5),
        (0.99, 0.84, 1.5),
        (0.1, 1.02, 1.6),
        (0.93, 1.04, 1.6),
    ):
        plant(stage, u, v, k, (186, 104, 66))
    for _ in range(10):
        stage.oval(
            rng.choice((0.05, 0.95, 0.9, 0.12)) + rng.uniform(-0.08, 0.08),
            rng.uniform(0.5, 0.78),
            0.014,
            0.014,
            rng.choice(((240, 90, 130), (255, 214, 80))),
        )


def _fire_front(stage: Stage, room: Ambience) -> None:
    """A round stone pit with flames in the foreground."""
    u, v = stage.rng.uniform(0.44, 0.58), 0.9
    stage.lamp_glow(u, v - 0.12, 0.5, (255, 140, 50), 26)
    stage.oval(u, v, 0.24, 0.09, (64, 60, 62))
    for i in range(13):
        a = i * math.tau / 13
        stage.oval(
            u + 0.21 * math.cos(a), v + 0.075 * math.sin(a), 0.058, 0.036, shade((128, 122, 120), 0.75 + 0.03 * (i % 7))
        )
    stage.oval(u, v - 0.01, 0.16, 0.05, (40, 24, 20))
    for x in (-0.09, 0.03):
        stage.stroke([(u + x - 0.04, v + 0.01), (u + x + 0.1, v - 0.03)], (90, 56, 36), 0.035)
    for scale, tone in ((1.0, (238, 84, 24)), (0.72, (252, 156, 34)), (0.44, (255, 226, 110))):
        for x, h in ((-0.08, 0.2), (0.0, 0.32), (0.08, 0.22)):
            w = 0.065 * scale
            lean = stage.rng.uniform(-0.02, 0.02)
            stage.shape(
                [
                    (u + x - w, v - 0.01),
                    (u + x - w * 0.9, v - 0.08 * scale),
                    (u + x + lean, v - 0.02 - h * scale),
                    (u + x + w * 0.9, v - 0.08 * scale),
                    (u + x + w, v - 0.01),
                    (u + x, v + 0.012),
                ],
                tone,
            )


BACKS = {
    "umbrellas": _no_back,
    "string_lights": _dusk_back,
    "plants": _no_back,
    "river": _river,
    "fire_pit": _dusk_back,
}
FRONTS = {"string_lights": _string_front, "plants": _plants_front, "fire_pit": _fire_front}


def paint_storefront(scene: Scene, rng: random.Random, width: int, height: int) -> Stage:
    room, cloth = AMBIENCES[scene.ambience], AWNINGS[scene.awning]
    evening = room.light in ("candles", "neon")
    stage = Stage(rng, width, height, DAY[0])
    stage.gradient(-0.2, 0.2, *(DUSK if evening else DAY))
    stage.box(0.03, 0.06, 0.97, 0.86, room.wall)
    stage.box(0.0, 0.03, 1.0, 0.08, shade(room.wood, 0.8))
    for i in range(7):
        stage.stroke([(0.03, 0.12 + 0.11 * i), (0.97, 0.12 + 0.11 * i)], shade(room.wall, 0.88), 0.006, 160)
    stage.gradient(0.86, 1.2, (170, 164, 158), (196, 190, 184), 5)
    for i in range(-2, 8):
        stage.stroke([(0.5 + (i - 2.5) * 0.18, 0.86), (0.5 + (i - 2.5) * 0.34, 1.2)], (140, 134, 130), 0.007)
    _sign(stage, room)
    _window(stage, room, 0.08, 0.5, evening)
    _door(stage, room, 0.58, 0.8, evening)
    stage.box(0.84, 0.5, 0.94, 0.68, room.wood)
    stage.box(0.853, 0.515, 0.927, 0.665, (48, 54, 52))
    for i in range(4):
        stage.stroke([(0.865, 0.54 + 0.034 * i), (0.9 + 0.012 * (i % 2), 0.54 + 0.034 * i)], (236, 234, 226), 0.008)
    _awning(stage, cloth)
    for u in (0.12, 0.46):
        plant(stage, u, 0.9, 0.9, shade(room.wood, 0.9))
    if rng.random() < 0.6:
        table(stage, rng.uniform(0.24, 0.36), 0.98, 0.72, room, None, room.accent)
    if room.light == "bulbs":
        bulb_string(stage, 0.04, 0.96, 0.1, 0.03, 9, (50, 40, 34), 0.7)
    return stage


def _sign(stage: Stage, room: Ambience) -> None:
    """A board over the awning with an illegible name."""
    u0, u1 = 0.24, 0.76
    stage.box(u0, 0.1, u1, 0.23, shade(room.wood, 0.62))
    stage.box(u0 + 0.01, 0.11, u1 - 0.01, 0.22, room.accent)
    ink = WHITE if sum(room.accent) < 400 else (50, 34, 30)
    u = u0 + 0.06
    while u < u1 - 0.08:
        w = stage.rng.uniform(0.03, 0.055)
        stage.stroke([(u, 0.19), (u + w * 0.3, 0.14), (u + w * 0.6, 0.19), (u + w, 0.15)], ink, 0.016)
        u += w + 0.02


def _window(stage: Stage, room: Ambience, u0: float, u1: float, evening: bool) -> None:
    glass = (255, 210, 130) if evening else (190, 220, 236)
    stage.box(u0, 0.42, u1, 0.76, room.wood)
    stage.box(u0 + 0.018, 0.44, u1 - 0.018, 0.74, glass)
    inside = mix(room.wall, glass, 0.5)
    stage.box(u0 + 0.018, 0.64, u1 - 0.018, 0.74, shade(inside, 0.75))
    for x in (0.11, 0.22, 0.33):
        stage.oval(u0 + x, 0.65, 0.045, 0.014, shade(room.wood, 1.2))
        stage.lamp_glow(u0 + x, 0.52, 0.07, (255, 220, 140), 40)
        stage.oval(u0 + x, 0.52, 0.014, 0.014, (255, 246, 206))
    stage.shape([(u0 + 0.05, 0.74), (u0 + 0.2, 0.44), (u0 + 0.27, 0.44), (u0 + 0.12, 0.74)], WHITE, 60)
    mid = (u0 + u1) / 2
    stage.box(mid - 0.008, 0.44, mid + 0.008, 0.74, room.wood)
    stage.box(u0 - 0.015, 0.755, u1 + 0.015, 0.785, shade(room.wood, 0.7))


def _door(stage: Stage, room: Ambience, u0: float, u1: float, evening: bool) -> None:
    leaf = room.accent if sum(room.accent) < 520 else shade(room.wood, 0.9)
    stage.box(u0 - 0.02, 0.4, u1 + 0.02, 0.87, shade(room.wood, 0.6))
    stage.box(u0, 0.42, u1, 0.87, leaf)
    stage.box(u0 + 0.04, 0.46, u1 - 0.04, 0.66, (255, 216, 140) if evening else (186, 214, 228))
    stage.box(u0 + 0.04, 0.7, u1 - 0.04, 0.83, shade(leaf, 0.8))
    stage.oval(u1 - 0.022, 0.68, 0.011, 0.011, (236, 206, 110))
    stage.box(u0 - 0.05, 0.865, u1 + 0.05, 0.895, (150, 144, 138))


def _awning(stage: Stage, cloth: RGB) -> None:
    """A striped awning: the named colour and a thin pale stripe between."""
    top, low, hem, count = 0.26, 0.42, 0.47, 9
    stage.shape([(0.03, low), (0.97, low), (0.97, low + 0.12), (0.03, low + 0.1)], (10, 8, 12), 60)
    for i in range(count):
        a, b = i / count, (i + 1) / count
        tone = cloth if i % 2 == 0 else mix(cloth, (255, 252, 244), 0.78)
        quad = [(0.07 + 0.86 * a, top), (0.07 + 0.86 * b, top), (0.02 + 0.96 * b, low), (0.02 + 0.96 * a, low)]
        stage.shape(quad, tone)
        u0, u1 = 0.02 + 0.96 * a, 0.02 + 0.96 * b
        scallop = [
            (u0 + (u1 - u0) * (0.5 - 0.5 * math.cos(t)), low + (hem - low) * (0.55 + 0.45 * math.sin(t)))
            for t in (math.pi * j / 6 for j in range(7))
        ]
        stage.shape([(u0, low), *scallop, (u1, low)], shade(tone, 0.84))
    stage.box(0.06, top - 0.012, 0.94, top + 0.012, shade(cloth, 0.7))
    stage.shape([(0.07, top), (0.93, top), (0.95, top + 0.05), (0.05, top + 0.05)], WHITE, 36)
