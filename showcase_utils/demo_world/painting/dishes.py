"""A dish: a table, a vessel, a base, and what lies on it."""

from __future__ import annotations

import random

from showcase_utils.demo_world.painting import dishes_bowl as bowl
from showcase_utils.demo_world.painting import dishes_bread as bread
from showcase_utils.demo_world.painting import dishes_plate as plate
from showcase_utils.demo_world.painting.canvas import Pen
from showcase_utils.demo_world.painting.pieces import steam
from showcase_utils.demo_world.painting.plating import Plating
from showcase_utils.demo_world.painting.table import clutter, serve_in, table_top
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.vocabulary import BASES, VESSELS

SHAPES = {
    "tacos": bread.tacos, "burrito": bread.burrito, "burger": bread.burger, "sandwich": bread.sandwich,
    "pizza": bread.pizza,
    "flatbread": bread.flatbread, "pita": bread.pita, "omelette": plate.omelette, "crepe": plate.crepe,
    "cutlet": plate.cutlet,
    "fries": plate.fries, "skewers": plate.skewers, "spring_rolls": plate.spring_rolls, "pasta": bowl.pasta,
    "noodles": bowl.noodles, "soup_noodles": bowl.soup_noodles, "soup": bowl.soup, "curry": bowl.curry,
    "stew": bowl.stew, "grain_bowl": bowl.grain_bowl, "mound": bowl.mound, "paella": bowl.paella,
    "rolls": bowl.rolls, "dumplings": bowl.dumplings, "salad": bowl.salad,
}  # fmt: skip
NEEDS_RIM = {"soup", "soup_noodles", "curry", "stew", "grain_bowl"}
UPRIGHT = {"tacos", "burger", "sandwich", "pita", "omelette", "crepe", "fries"}  # have a front: turn them little


def paint_dish(scene: Scene, rng: random.Random, width: int, height: int) -> Pen:
    base = BASES[scene.base]
    upright = base.shape in UPRIGHT
    squash = rng.uniform(0.64, 0.78) if upright else rng.uniform(0.7, 0.93)
    turn = rng.uniform(-0.3, 0.3) if upright else rng.uniform(-0.7, 0.7)
    pen = Pen(rng, width, height, (128, 112, 96), squash, turn, zoom=rng.uniform(0.41, 0.49))
    pen.origin = (pen.width * rng.uniform(0.46, 0.54), pen.height * rng.uniform(0.49, 0.56))
    table_top(pen)
    clutter(pen)
    inside = serve_in(pen, VESSELS[scene.vessel], base.shape in NEEDS_RIM)
    dish = Plating(inside, base, scene)
    SHAPES[base.shape](inside, dish)
    if dish.mark == "pale":
        steam(inside)
    return pen
