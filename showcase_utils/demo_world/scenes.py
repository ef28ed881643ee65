"""What a photo of the demo world shows, as data: written by the city, painted by ``painting.py``, kept as truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = ("dish", "drink", "dessert", "interior", "terrace", "storefront")


@dataclass(frozen=True)
class Scene:
    """One photographable thing. Names refer to ``vocabulary``; fields that a kind does not use are empty.

    ``dish``: base, main, preparation, toppings, sauce, vessel. ``drink``: drink. ``dessert``: dessert, vessel.
    ``interior``: ambience. ``terrace``: ambience, terrace. ``storefront``: ambience, awning.
    """

    kind: str
    base: str = ""
    main: str = ""
    preparation: str = ""
    toppings: tuple[str, ...] = ()
    sauce: str = ""
    vessel: str = ""
    drink: str = ""
    dessert: str = ""
    ambience: str = ""
    terrace: str = ""
    awning: str = ""

    @property
    def name(self) -> str:
        """What a sentence calls it, such as ``grilled shrimp tacos``, ``mojito``, ``candlelit room``."""
        return {
            "dish": f"{self.preparation} {self.main} {self.base}".strip(),
            "drink": self.drink,
            "dessert": self.dessert,
            "interior": f"{self.ambience} room",
            "terrace": f"terrace with {self.terrace}",
            "storefront": f"{self.awning} awning",
        }[self.kind]

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))  # flat; `asdict` would copy every word, tens of thousands of times in a world

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Scene:
        return cls(**{**row, "toppings": tuple(row["toppings"])})
