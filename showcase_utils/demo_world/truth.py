"""What the demo world knows and nobody else may: only evaluation imports this module.

Training, selection and generation that read it would be measured on what they were told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from .naming import Mention, find_mentions, names
from .scenes import Scene

TABLES = ("photos", "sentences", "orders", "users", "businesses", "annotators", "rows")


@dataclass(frozen=True)
class Truth:
    """The tables of ``truth/``; scenes, tastes, voices, cameras and menus are JSON strings in them.

    photos: image_id, business_id, user_id, review_id, visit, kind, scene, alive. sentences: review_id, visit, index,
    sentence, kind (photo, unpictured, generic, other), scene, image_ids. orders: review_id, visit, kind, scene.
    users: user_id, visits, tastes, voice, camera. businesses: business_id, cuisine, …, menus. annotators: annotator,
    error_rate. rows, the lines of the published file in their order: review_id, visit, user_id, business_id, rating,
    words, photos, fault (empty for a good row).
    """

    photos: pd.DataFrame
    sentences: pd.DataFrame
    orders: pd.DataFrame
    users: pd.DataFrame
    businesses: pd.DataFrame
    annotators: pd.DataFrame
    rows: pd.DataFrame

    @cached_property
    def _scenes(self) -> dict[str, Scene]:
        scenes = self.photos.set_index("image_id")["scene"]
        return {image_id: Scene.from_dict(json.loads(scene)) for image_id, scene in scenes.items()}

    def shows(self, image_id: str) -> Scene:
        """What a photo shows; raises ``KeyError`` for a photo that this world does not have."""
        try:
            return self._scenes[image_id]
        except KeyError:
            raise KeyError(f"photo {image_id} is not of this demo world") from None

    def mentions(self, text: str) -> list[Mention]:
        """Every dish, drink, dessert, room, terrace and storefront that ``text`` names, in order."""
        return find_mentions(text)

    def describes(self, sentence: str, scene: Scene) -> bool:
        """Whether ``sentence`` names what ``scene`` shows.

        "the shrimp tacos" does for any shrimp tacos, "the tacos" for any tacos, "the beef tacos" not for shrimp tacos.
        """
        return names(sentence, scene)


def load_truth(world_dir: Path | str) -> Truth:
    """Open the truth of the demo world in ``world_dir``; raises ``FileNotFoundError`` if there is none."""
    folder = Path(world_dir) / "truth"
    missing = [name for name in TABLES if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {', '.join(missing)}: grow the demo world there first")
    return Truth(**{name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES})
