"""Interiors: one painter per ambience's light, sharing floor, tables and chairs."""

from __future__ import annotations

import math
import random

from showcase_utils.demo_world.painting.canvas import WHITE, mix, shade
from showcase_utils.demo_world.painting.stage import Stage, bulb_string, candle, plant, table
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import AMBIENCES, RGB, Ambience

LANTERNS: tuple[RGB, ...] = ((240, 70, 64), (252, 190, 50), (90, 190, 90), (236, 110, 180), (250, 140, 40))


def paint_interior(scene: Scene, rng: random.Random, width: int, height: int) -> Stage:
    room = AMBIENCES[scene.ambience]
    stage = Stage(rng, width, height, room.wall)
    horizon = rng.uniform(0.5, 0.57)
    stage.gradient(-0.2, horizon, shade(room.wall, 0.86), shade(room.wall, 1.06 if sum(room.wall) < 600 else 1.0))
    WALLS[room.light](stage, room, horizon)
    _side_wall(stage, room, horizon)
    cloth, seat = {
        "candles": ((150, 36, 40), (120, 30, 34)), "chandelier": ((250, 248, 242), room.wood), "daylight": (None,
        (70, 76, 86)),
        "lanterns": (None, (250, 200, 60)), "neon": (None, room.accent), "bulbs": (None, room.accent),
    }[room.light]  # fmt: skip
    spots = [
        (rng.uniform(0.16, 0.34), horizon + 0.14, 0.72),
        (rng.uniform(0.62, 0.82), horizon + 0.16, 0.76),
        (rng.uniform(0.34, 0.64), rng.uniform(0.88, 0.96), 1.3),
    ]
    for u, v, k in spots:
        top = table(stage, u, v, k, room, cloth, seat)
        _centrepiece(stage, room, *top, k)
    LIGHTS[room.light](stage, room)
    return stage


def _side_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    """The left wall in perspective, a shade darker."""
    edge = stage.rng.uniform(0.06, 0.14)
    tone = shade(room.wall, 0.78)
    stage.shape([(-0.2, -0.3), (edge, -0.3), (edge, horizon), (-0.2, horizon + 0.24 + edge)], tone)
    stage.stroke([(edge, -0.2), (edge, horizon)], shade(tone, 0.8), 0.008)
    stage.stroke([(1.2, horizon), (edge, horizon), (-0.2, horizon + 0.24 + edge)], shade(room.wood, 0.7), 0.022)


def _centrepiece(stage: Stage, room: Ambience, u: float, v: float, k: float) -> None:
    if room.light in ("candles", "chandelier"):
        candle(stage, u, v + 0.01, k * (1.0 if room.light == "candles" else 0.7))
    elif room.light == "neon":
        for x, tone in ((-0.03, (80, 220, 250)), (0.03, (250, 120, 200))):
            stage.box(u + (x - 0.014) * k, v - 0.06 * k, u + (x + 0.014) * k, v, tone, 220)
    else:
        stage.box(
            u - 0.014 * k,
            v - 0.045 * k,
            u + 0.014 * k,
            v + 0.006,
            (236, 240, 244) if room.light == "daylight" else (176, 96, 58),
        )
        for x in (-0.03, 0.0, 0.03):
            tone = (90, 150, 80) if room.light != "lanterns" else LANTERNS[int(100 * (x + 0.03)) % 5]
            stage.oval(u + x * k, v - 0.062 * k, 0.018 * k, 0.018 * k, tone)


# -- walls and floors ---------------------------------------------------------------------------------------------


def _frame(stage: Stage, u: float, v: float, w: float, h: float, rim: RGB, inside: RGB) -> None:
    stage.box(u - w, v - h, u + w, v + h, rim)
    stage.box(u - w * 0.8, v - h * 0.84, u + w * 0.8, v + h * 0.84, inside)
    stage.shape(
        [
            (u - w * 0.8, v + h * 0.84),
            (u - w * 0.2, v),
            (u + w * 0.15, v + h * 0.4),
            (u + w * 0.5, v - h * 0.2),
            (u + w * 0.8, v + h * 0.84),
        ],
        shade(inside, 0.7),
    )


def _candle_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.boards(horizon, room.floor)
    for i in range(6):
        stage.box(i * 0.2 - 0.01, 0.34, i * 0.2 + 0.005, horizon, shade(room.wall, 0.7), 160)
    stage.box(-0.2, 0.33, 1.2, 0.35, shade(room.wood, 0.9))
    for u in (0.3, 0.66):
        _frame(stage, u, 0.17, 0.09, 0.09, (176, 132, 60), (110, 70, 56))
    for u in (0.48, 0.86):
        stage.lamp_glow(u, 0.22, 0.2, (255, 170, 80), 26)
        stage.box(u - 0.035, 0.28, u + 0.035, 0.295, (170, 126, 60))
        for x in (-0.022, 0.022):
            candle(stage, u + x, 0.28, 0.8)


def _modern_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.gradient(horizon, 1.2, shade(room.floor, 0.94), shade(room.floor, 1.1))
    for u in (0.2, 0.48, 0.76):
        stage.box(u, 0.06, u + 0.23, horizon - 0.04, room.accent)
        stage.box(u + 0.012, 0.072, u + 0.218, horizon - 0.052, (164, 208, 240))
        stage.box(u + 0.012, 0.19, u + 0.218, 0.3, (206, 230, 246))
        stage.shape(
            [
                (u + 0.012, horizon - 0.052),
                (u + 0.012, 0.34),
                (u + 0.08, 0.28),
                (u + 0.14, 0.36),
                (u + 0.218, 0.31),
                (u + 0.218, horizon - 0.052),
            ],
            (132, 182, 120),
        )
        stage.stroke([(u + 0.115, 0.07), (u + 0.115, horizon - 0.05)], room.accent, 0.01)
        stage.shape([(u + 0.02, horizon), (u + 0.22, horizon), (u + 0.1, 1.1), (u - 0.2, 1.1)], WHITE, 80)


def _rustic_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.boards(horizon, room.floor)
    brick = (176, 104, 76)
    stage.box(-0.2, -0.2, 1.2, horizon, shade(brick, 1.1))
    for j in range(12):
        v = horizon - (j + 1) * 0.052
        for i in range(9):
            u = i * 0.125 + (0.06 if j % 2 else 0.0) - 0.04
            stage.box(u, v + 0.006, u + 0.118, v + 0.047, shade(brick, stage.rng.uniform(0.82, 1.04)))
    for v in (0.2, 0.34):
        stage.box(0.42, v, 0.74, v + 0.02, shade(room.wood, 0.8))
        for i in range(6):
            u = 0.45 + i * 0.05
            tone = stage.rng.choice(((92, 128, 70), (226, 206, 160), (120, 60, 40), (196, 140, 70), (70, 90, 70)))
            stage.box(u, v - stage.rng.uniform(0.04, 0.085), u + 0.032, v, tone)
    plant(stage, 0.9, horizon + 0.1, 1.3, (176, 96, 58))
    stage.box(-0.2, -0.2, 1.2, 0.03, shade(room.wood, 0.6))


def _lantern_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.tiles(horizon, room.floor, (214, 92, 70))
    stage.box(-0.2, horizon - 0.13, 1.2, horizon, room.accent)
    for i in range(14):
        u = i * 0.1 - 0.1
        stage.shape(
            [
                (u, horizon - 0.065),
                (u + 0.05, horizon - 0.125),
                (u + 0.1, horizon - 0.065),
                (u + 0.05, horizon - 0.005),
            ],
            ((236, 98, 64), (60, 90, 180))[i % 2],
        )
    for u, rim, inside in ((0.36, (246, 200, 60), (236, 96, 130)), (0.7, (240, 110, 60), (250, 226, 120))):
        stage.box(u - 0.1, 0.14, u + 0.1, horizon - 0.16, rim)
        stage.box(u - 0.08, 0.16, u + 0.08, horizon - 0.18, inside)
        for i in range(6):
            a = i * math.tau / 6
            stage.oval(
                u + 0.035 * math.cos(a), 0.26 + 0.035 * math.sin(a), 0.024, 0.024, WHITE if u < 0.5 else (60, 150, 190)
            )
        stage.oval(u, 0.26, 0.022, 0.022, (250, 180, 40))


def _elegant_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.tiles(horizon, room.floor, shade(room.floor, 1.3))
    for u in (0.16, 0.42, 0.68, 0.94):
        stage.box(u, 0.06, u + 0.21, horizon - 0.06, shade(room.wall, 0.9))
        stage.box(u + 0.014, 0.075, u + 0.196, horizon - 0.075, shade(room.wall, 1.05))
        stage.stroke(
            [
                (u + 0.028, 0.09),
                (u + 0.182, 0.09),
                (u + 0.182, horizon - 0.09),
                (u + 0.028, horizon - 0.09),
                (u + 0.028, 0.09),
            ],
            room.accent,
            0.008,
        )
    _frame(stage, 0.78, 0.27, 0.075, 0.11, room.accent, (176, 190, 186))
    for u in (0.13, 0.4):
        stage.shape([(u, -0.05), (u + 0.07, -0.05), (u + 0.05, 0.24), (u + 0.07, horizon), (u, horizon)], room.wood)
        stage.stroke([(u + 0.025, -0.05), (u + 0.02, horizon)], shade(room.wood, 1.25), 0.01)
    stage.box(0.2, 0.03, 0.4, horizon - 0.05, (212, 228, 238))
    stage.stroke([(0.3, 0.03), (0.3, horizon - 0.05)], WHITE, 0.014)


def _neon_wall(stage: Stage, room: Ambience, horizon: float) -> None:
    stage.gradient(horizon, 1.2, room.floor, shade(room.floor, 0.9))
    for i in range(7):
        stage.stroke([(0.5 + (i - 3) * 0.12, horizon), (0.5 + (i - 3) * 0.5, 1.2)], (80, 50, 130), 0.008, 180)
    for v in (horizon + 0.06, horizon + 0.18, horizon + 0.36):
        stage.stroke([(-0.2, v), (1.2, v)], (80, 50, 130), 0.008, 180)
    stage.shape([(0.1, horizon), (0.9, horizon), (1.1, 1.2), (-0.1, 1.2)], room.accent, 22)
    stage.box(0.56, 0.34, 1.2, horizon + 0.02, shade(room.wood, 0.8))
    stage.stroke([(0.56, 0.34), (1.2, 0.34)], (80, 230, 250), 0.02)
    for i in range(9):
        tone = ((90, 220, 250), (250, 100, 190), (250, 220, 90), (130, 250, 150))[i % 4]
        stage.box(0.6 + i * 0.045, 0.26 - 0.02 * (i % 3), 0.622 + i * 0.045, 0.335, tone, 200)


WALLS = {
    "candles": _candle_wall,
    "daylight": _modern_wall,
    "bulbs": _rustic_wall,
    "lanterns": _lantern_wall,
    "chandelier": _elegant_wall,
    "neon": _neon_wall,
}


# -- lights, painted last so that their glow lies over the room ------------------------------------------------------


def _candle_light(stage: Stage, room: Ambience) -> None:
    stage.box(-0.2, -0.2, 1.2, 1.2, (255, 140, 50), 20)
    stage.lamp_glow(0.5, 0.8, 0.6, (255, 170, 80), 12)


def _pendants(stage: Stage, room: Ambience) -> None:
    for u in (0.32, 0.62):
        stage.stroke([(u, -0.2), (u, 0.14)], room.accent, 0.008)
        stage.shape([(u - 0.06, 0.2), (u + 0.06, 0.2), (u + 0.02, 0.13), (u - 0.02, 0.13)], room.accent)
        stage.oval(u, 0.2, 0.06, 0.012, (255, 250, 226))


def _bulbs(stage: Stage, room: Ambience) -> None:
    for u, v in ((0.22, 0.16), (0.42, 0.22), (0.6, 0.14), (0.8, 0.2)):
        stage.stroke([(u, -0.2), (u, v)], (40, 30, 26), 0.008)
        stage.lamp_glow(u, v + 0.03, 0.13, (255, 200, 110), 34)
        stage.oval(u, v + 0.03, 0.024, 0.032, (255, 224, 140))
        stage.oval(u, v + 0.028, 0.011, 0.016, WHITE)
    bulb_string(stage, -0.1, 1.1, 0.02, 0.06, 7, (40, 30, 26), 0.8)


def _lanterns(stage: Stage, room: Ambience) -> None:
    stage.stroke([(-0.2, 0.02), (0.5, 0.07), (1.2, 0.02)], (70, 50, 40), 0.008)
    for i, (u, v, k) in enumerate(
        ((0.1, 0.12, 1.0), (0.29, 0.17, 1.15), (0.5, 0.13, 1.0), (0.7, 0.19, 1.2), (0.9, 0.12, 1.0))
    ):
        tone = LANTERNS[i]
        stage.stroke([(u, 0.0), (u, v)], (70, 50, 40), 0.006)
        stage.lamp_glow(u, v, 0.12 * k, mix(tone, (255, 230, 160), 0.5), 22)
        stage.oval(u, v, 0.062 * k, 0.054 * k, shade(tone, 0.9))
        stage.oval(u, v, 0.036 * k, 0.053 * k, shade(tone, 1.15))
        stage.oval(u, v, 0.012 * k, 0.052 * k, shade(tone, 1.4))
        for w in (-0.054, 0.054):
            stage.box(u - 0.022 * k, v + w * k - 0.006, u + 0.022 * k, v + w * k + 0.006, (90, 60, 30))
        stage.stroke([(u, v + 0.06 * k), (u, v + 0.09 * k)], tone, 0.014)


def _chandelier(stage: Stage, room: Ambience) -> None:
    u, v, gold = 0.52, 0.17, (200, 156, 70)
    stage.lamp_glow(u, v, 0.3, (255, 232, 170), 24)
    stage.stroke([(u, -0.2), (u, v)], gold, 0.014)
    for reach, drop in ((0.2, 0.0), (0.13, 0.05)):
        for side in (-1, 1):
            stage.stroke(
                [(u, v - 0.03 + drop), (u + side * reach * 0.5, v + 0.05 + drop), (u + side * reach, v + drop)],
                gold,
                0.016,
            )
    for x in (-0.2, -0.13, -0.066, 0.0, 0.066, 0.13, 0.2):
        w = v + 0.01 + 0.05 * (1 - (x / 0.2) ** 2)
        stage.box(u + x - 0.007, w - 0.04, u + x + 0.007, w, (252, 246, 230))
        stage.lamp_glow(u + x, w - 0.055, 0.05, (255, 220, 130), 44)
        stage.oval(u + x, w - 0.055, 0.009, 0.017, (255, 246, 200))
        stage.stroke([(u + x, w), (u + x, w + 0.045)], (250, 246, 230), 0.01)
        stage.oval(u + x, w + 0.05, 0.009, 0.013, WHITE)


def _neon_light(stage: Stage, room: Ambience) -> None:
    cyan, pink = (80, 226, 250), room.accent
    curves = (
        ([(0.18 + 0.015 * i, 0.14 + 0.035 * math.sin(i * 0.9)) for i in range(20)], pink),
        ([(0.3 + 0.07 * math.cos(a), 0.3 + 0.07 * math.sin(a)) for a in (math.tau * i / 16 for i in range(17))], cyan),
        ([(0.64, 0.08), (0.84, 0.08), (0.74, 0.18), (0.64, 0.08)], cyan),
        ([(0.74, 0.18), (0.74, 0.25), (0.69, 0.25), (0.79, 0.25)], cyan),
        ([(0.44, 0.4), (0.24, 0.4)], (250, 220, 80)),
    )
    for points, tone in curves:
        for width, alpha in ((0.09, 36), (0.055, 60), (0.03, 200)):
            stage.stroke(points, tone, width, alpha)
        stage.stroke(points, mix(tone, WHITE, 0.7), 0.012)
    stage.lamp_glow(0.3, 0.3, 0.35, cyan, 10)
    stage.lamp_glow(0.74, 0.2, 0.4, pink, 12)


LIGHTS = {
    "candles": _candle_light,
    "daylight": _pendants,
    "bulbs": _bulbs,
    "lanterns": _lanterns,
    "chandelier": _chandelier,
    "neon": _neon_light,
}
