"""From photos and texts to what a generator reads, and from what it writes to text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from showcase_utils.config import Encoding
from showcase_utils.generation.dataset import collate
from showcase_utils.recipes import BACKBONES

if TYPE_CHECKING:
    from showcase_utils.encoding.clip import Clip

LOCAL, CLIP = "local-dir:", "clip"
Photos = Sequence[str | os.PathLike]


class ShowcaseProcessor(ProcessorMixin):
    """CLIP and the tokenizer of a generator: ``model.generate(**processor(photos=[…], texts=[…]))``.

    ``clip`` names the CLIP as the setting ``encoding.model`` does, and ``pretrained`` as ``encoding.pretrained``;
    ``features`` is the fingerprint of the CLIP that the generator was trained on, and another one is refused.
    ``save_pretrained`` takes a CLIP along that is a folder or ``embedded``; one of open_clip's names stays a name.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        clip: str = "embedded",
        pretrained: str | None = None,
        features: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(tokenizer, **kwargs)
        self.clip, self.pretrained, self.features = clip, pretrained, features

    def __call__(
        self, photos: Sequence[Photos] | Photos = (), texts: Sequence[Sequence[str]] | Sequence[str] = ()
    ) -> BatchFeature:
        """Photos of a place and texts of a user, of one showcase or a list of each for several.

        Gives ``images`` (B, photos, d) and ``history`` (B, texts, d), CLIP features in float32, with boolean
        ``image_mask`` and ``history_mask``. ``photos`` are paths, ``texts`` what the user wrote before; a showcase may
        have none of them. Raises ``ValueError`` for lists of different length, a photo that cannot be read, or another
        CLIP than the generator's.
        """
        shown, past = _lists(photos), _lists(texts)
        shown, past = shown or [[]] * len(past), past or [[]] * len(shown)
        if len(shown) != len(past):
            raise ValueError(f"photos of {len(shown)} showcases, but texts of {len(past)}")
        images = self._rows([photo for one in shown for photo in one], "encode_images")
        history = self._rows([text for one in past for text in one], "encode_texts")
        samples = [
            {"images": pictures, "history": written}
            for pictures, written in zip(
                images.split([len(one) for one in shown]), history.split([len(one) for one in past]), strict=True
            )
        ]
        return BatchFeature(collate(samples))

    @property
    def model_input_names(self) -> list[str]:
        return ["images", "image_mask", "history", "history_mask"]

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> Any:
        """As transformers', with the folder of the CLIP."""
        source, before = self._clip_folder(), self.clip
        if source and source.resolve() != Path(save_directory, CLIP).resolve():
            shutil.copytree(source, Path(save_directory, CLIP), dirs_exist_ok=True)
        try:
            self.clip = f"{LOCAL}{CLIP}" if source else before
            return super().save_pretrained(os.fspath(save_directory), push_to_hub, **kwargs)
        finally:
            self.clip = before

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any) -> Any:
        """As transformers', with the CLIP that lies beside it; from a hub's cache too. No foreign code is run."""
        processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        if processor.clip == f"{LOCAL}{CLIP}":
            place = Path(pretrained_model_name_or_path)
            if not place.is_dir():
                from huggingface_hub import snapshot_download

                place = Path(snapshot_download(os.fspath(pretrained_model_name_or_path), allow_patterns=f"{CLIP}/*"))
            processor.clip = f"{LOCAL}{place / CLIP}"
        return processor

    @cached_property
    def encoder(self) -> Clip:
        """The CLIP, loaded when it is first asked."""
        from showcase_utils.encoding.clip import load_clip

        clip = load_clip(Encoding(model=self.clip, pretrained=self.pretrained, workers=0), "auto")
        if self.features not in (None, clip.fingerprint):
            raise ValueError(f"clip = {self.clip!r} is another CLIP than the one that the generator was trained on")
        return clip

    def _rows(self, sources: Sequence[Any], how: str) -> torch.Tensor:
        if not sources:
            return torch.zeros(0, self.encoder.dim)
        return torch.as_tensor(getattr(self.encoder, how)(list(sources)), dtype=torch.float32)

    def _clip_folder(self) -> Path | None:
        if self.clip == "embedded":
            return BACKBONES / CLIP
        return Path(self.clip.removeprefix(LOCAL)) if self.clip.startswith(LOCAL) else None


def _lists(given: Sequence[Any]) -> list[Sequence[Any]]:
    if isinstance(given, str | os.PathLike):
        raise TypeError(f"{os.fspath(given)!r}: give a list, also of one")
    one = bool(given) and isinstance(given[0], str | os.PathLike)
    return [given] if one else list(given)
