"""The product: photos and text that say why a place suits a user.

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
from showcase_utils.showcase import Showcases

showcases = Showcases.load(Artifacts(load_settings("demo")))
showcases.explain(user_id, business_id, k=3)
"""

from __future__ import annotations

import base64
import difflib
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import Settings, load_settings
from showcase_utils.data.filtering import history
from showcase_utils.data.frames import load_reviews
from showcase_utils.devices import resolve_device
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.generation.dataset import ShowcaseDataset
from showcase_utils.generation.decoding import generate_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.training import load_system
from showcase_utils.selection.dpp import greedy_map
from showcase_utils.selection.pools import build_pools
from showcase_utils.selection.profile import ProfileModel

THUMBNAIL = 220  # pixels
PAST = 4  # past reviews and photos that a page shows
SYSTEM = "ours_pc2l"
_STYLE = """
.showcase { border: 1px solid #8886; border-radius: .6rem; padding: .8rem 1.2rem; margin: .8rem 0; max-width: 60rem; }
.showcase h3, .showcase h4 { margin: .2rem 0; } .showcase h4 { font-weight: 600; opacity: .7; }
.showcase .photos { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; }
.showcase .photos img { height: 9rem; border-radius: .4rem; } .showcase .past img { height: 4.5rem; }
.showcase blockquote { margin: .5rem 0; padding-left: .8rem; border-left: 3px solid #0173b2; font-size: 1.1em; }
.showcase ul { margin: .3rem 0; padding-left: 1.2rem; }
"""


@dataclass(frozen=True)
class Showcase:
    """One showcase: ``image_ids`` and ``photos`` (their files) in the order they were picked, and the text.

    ``past_photos`` and ``past_texts`` are what the user is known by: photos and reviews of other businesses.
    """

    user_id: str
    business_id: str
    image_ids: tuple[str, ...]
    photos: tuple[Path, ...] = field(repr=False)  # where files lie is nobody's business in a stored notebook
    text: str
    past_photos: tuple[Path, ...] = field(repr=False)
    past_texts: tuple[str, ...]

    def to_html(self) -> str:
        """A page that needs no other file: the photos are in it."""
        return page([self], title=f"Why {self.business_id} suits {self.user_id}")

    def _repr_html_(self) -> str:
        return f"<style>{_STYLE}</style>{self._block()}"

    def _block(self) -> str:
        texts = "".join(f"<li>{html.escape(text)}</li>" for text in self.past_texts[:PAST])
        past = _photos(self.past_photos[:PAST], "past") + f"<ul>{texts}</ul>"
        return (
            f'<div class="showcase"><h3>{html.escape(self.business_id)} for {html.escape(self.user_id)}</h3>'
            f"{_photos(self.photos)}<blockquote>{html.escape(self.text)}</blockquote>"
            f"<h4>what this user photographed and wrote elsewhere</h4>{past}</div>"
        )


def page(showcases: Iterable[Showcase], title: str) -> str:
    """Several showcases as one self-contained page."""
    blocks = "\n".join(showcase._block() for showcase in showcases)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem; }}"
        f"{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>\n{blocks}\n</body></html>\n"
    )


@dataclass(frozen=True)
class Showcases:
    """Everything an explanation needs, loaded once: ``Showcases.load(artifacts).explain(user_id, business_id)``."""

    reviews: pd.DataFrame  # GEST-s1 with its split
    images: pd.DataFrame
    photo_features: FeatureStore
    review_features: FeatureStore
    selector: ProfileModel
    generator: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    settings: Settings

    @classmethod
    def load(cls, artifacts: Artifacts | str | Path, system: str = "", seed: int | None = None) -> Showcases:
        """From a run's artifacts, or from their root folder (profile ``demo``).

        ``system`` defaults to ours with PC²L, or to the last system that was trained; ``seed`` to the first one.
        Raises ``StaleStage`` that names the notebook to run, or ``FileNotFoundError`` for a system that is not there.
        """
        store = artifacts if isinstance(artifacts, Artifacts) else Artifacts(load_settings("demo"), artifacts)
        settings = store.settings
        data, features = store.path("data"), store.path("features")
        profile = max(settings.selection.profiles, key=len)
        trained = settings.generation.systems
        name = system or (SYSTEM if SYSTEM in trained else trained[-1])
        first = settings.seed + settings.selection.seeds[0]
        written = settings.seed + settings.generation.seeds[0] if seed is None else seed
        folder = store.path("generation") / f"{name}-{written}"
        device = resolve_device(settings.device)
        return cls(
            reviews=load_reviews(data / "s1.parquet"),
            images=pd.read_parquet(data / "images.parquet"),
            photo_features=FeatureStore.open(features / "photos"),
            review_features=FeatureStore.open(features / "reviews"),
            selector=ProfileModel.from_pretrained(store.path("selection") / "models" / f"{profile}-{first}", device),
            generator=load_system(folder).to(device),
            tokenizer=load_tokenizer(folder),
            settings=settings,
        )

    @torch.inference_mode()
    def explain(self, user_id: str, business_id: str, k: int | None = None) -> Showcase:
        """The showcase of a business for a user: at most ``k`` photos and a text grounded in them.

        The user is known by their reviews of other businesses, as in training. Raises ``KeyError`` for a user or
        business that is not in GEST-s1, with the nearest id, and ``ValueError`` for ``k`` below 1.
        """
        self._known("user_id", user_id)
        self._known("business_id", business_id)
        k = self.settings.selection.k if k is None else k
        own = self.reviews[(self.reviews["user_id"] == user_id) | (self.reviews["business_id"] == business_id)]
        review_id = f"{user_id}_{business_id}"
        key = {"review_id": review_id, "user_id": user_id, "business_id": business_id}
        if review_id not in set(own["review_id"]):
            some_photo = own.loc[own["business_id"] == business_id, "image_ids"].iloc[0][:1]
            visit = pd.DataFrame([{**key, "text": "", "image_ids": some_photo}])
            own = pd.concat([own, visit], ignore_index=True)
        own = own.assign(split="test")  # every photo of the business is a candidate
        image_ids = self._select(own, review_id, k)
        visit = pd.DataFrame([{**key, "text": "", "image_ids": image_ids}])
        past = list(history(own, self.settings.generation.history)[review_id])
        dataset = ShowcaseDataset(
            visit,
            {review_id: past},
            self.photo_features,
            self.review_features,
            self.tokenizer,
            self.settings.generation,
        )
        written = generate_texts(
            self.generator, self.tokenizer, dataset, SYSTEM, 0, device=str(self.generator.device), progress=False
        )
        before = own.set_index("review_id").loc[past]
        return Showcase(
            user_id,
            business_id,
            tuple(image_ids),
            self._files(image_ids),
            written["text"].iloc[0],
            self._files([image_id for ids in before["image_ids"] for image_id in ids]),
            tuple(before["text"]),
        )

    def users_of(self, business_id: str) -> list[str]:
        """The users who reviewed a business, for showing the same place to several; raises ``KeyError``."""
        self._known("business_id", business_id)
        return list(dict.fromkeys(self.reviews.loc[self.reviews["business_id"] == business_id, "user_id"]))

    def _select(self, own: pd.DataFrame, review_id: str, k: int) -> list[str]:
        images = self.images[self.images["image_id"].isin(set(own["image_ids"].explode()))]
        limit = self.settings.selection.history
        pools = build_pools(own, images, self.photo_features, self.review_features, limit)
        row = pools.row(review_id)
        batch = pools.batch([row], next(self.selector.parameters()).device)
        picks = greedy_map(self.selector.kernel(batch), k, batch.present, check=False)[0]
        return pools.ids(row, picks.cpu().numpy())

    def _files(self, image_ids: Sequence[str]) -> tuple[Path, ...]:
        paths = self.images.drop_duplicates("image_id").set_index("image_id")["path"]
        return tuple(Path(paths[image_id]) for image_id in image_ids)

    def _known(self, column: str, value: str) -> None:
        known = self.reviews[column].unique()
        if value not in known:
            near = difflib.get_close_matches(value, map(str, known[:20000]), n=1, cutoff=0.3)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise KeyError(f"{column} {value} is not in GEST-s1 of profile '{self.settings.profile}'{hint}")


def _photos(paths: Sequence[Path], extra: str = "") -> str:
    pictures = "".join(f'<img alt="photo" src="{_thumbnail(path)}">' for path in paths)
    return f'<div class="photos {extra}">{pictures}</div>'


def _thumbnail(path: Path) -> str:
    """A photo as a small data address; one that cannot be read is shown as what it is, a grey square."""
    buffer = io.BytesIO()
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except OSError:
        small = Image.new("RGB", (THUMBNAIL, THUMBNAIL), "lightgrey")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
