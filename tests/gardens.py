"""A made-up set of another domain than food: visitors of gardens and museums, a CSV and a folder of pictures."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from PIL import Image, ImageDraw

VISITORS = "vera otto lena hugo emil cora noor alan nina theo mina juri ravi uma".split()  # of every split some
PLACES = {
    "kew": ("palm house", "water lilies", "rose garden"),
    "eden": ("rain forest dome", "banana trees", "rope bridge"),
    "louvre": ("marble statues", "glass pyramid", "oil portraits"),
    "prado": ("royal portraits", "dark etchings", "quiet benches"),
    "orsay": ("station clock", "ballet dancers", "water lilies"),
    "alnarp": ("rose garden", "old oaks", "herb beds"),
}
COLOURS = {
    "palm house": "#2e7d32", "water lilies": "#4dd0e1", "rose garden": "#e91e63", "rain forest dome": "#1b5e20",
    "banana trees": "#c0ca33", "rope bridge": "#8d6e63", "marble statues": "#eeeeee", "glass pyramid": "#90caf9",
    "oil portraits": "#6d4c41", "royal portraits": "#b71c1c", "dark etchings": "#212121", "quiet benches": "#a1887f",
    "station clock": "#ffd54f", "ballet dancers": "#f8bbd0", "old oaks": "#33691e", "herb beds": "#7cb342",
}  # fmt: skip
PRAISE = (
    "We loved the {}, and the light was lovely.",
    "The {} alone is worth the trip.",
    "Crowded, but the {} made up for it.",
    "Go early for the {} and stay for tea.",
    "By the {} we forgot the time.",
    "I came back for the {}.",
)


def plant(folder: Path, visits: int = 5, seed: int = 7, script: str = "") -> None:
    """``reviews.csv`` (user, place, rating, comment, pictures) and ``photos/``, JPEGs and PNGs, in ``folder``.

    ``script`` stands before and behind every comment, and before every id but those of Vera and of Kew.
    """
    draw = random.Random(seed)
    (folder / "photos").mkdir(parents=True)
    rows = []
    for visitor in VISITORS:
        for place in draw.sample(sorted(PLACES), visits):
            things = draw.sample(PLACES[place], draw.choice((1, 2)))
            pictures = []
            for thing in things:
                name = f"{visitor}-{place}-{thing.replace(' ', '_')}{draw.choice(('.jpg', '.png'))}"
                _paint(draw, COLOURS[thing]).save(folder / "photos" / name)
                pictures.append(name)
            comment = " ".join(draw.choice(PRAISE).format(thing) for thing in things)
            ids = (name if name in ("vera", "kew") else f"{script}{name}" for name in (visitor, place))
            rows.append((*ids, draw.choice((4, 5, 5)), f"{script} {comment} {script}".strip(), "|".join(pictures)))
    draw.shuffle(rows)
    with (folder / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "place", "rating", "comment", "pictures"])
        writer.writerows(rows)


def _paint(draw: random.Random, colour: str) -> Image.Image:
    image = Image.new("RGB", (96, 72), draw.choice(("#bbdefb", "#e8eaf6", "#fff8e1")))
    pencil = ImageDraw.Draw(image)
    for _ in range(14):
        x, y, r = draw.randrange(96), draw.randrange(24, 72), draw.randrange(5, 14)
        pencil.ellipse((x - r, y - r, x + r, y + r), fill=colour, outline="#37474f")
    return image
