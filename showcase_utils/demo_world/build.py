"""The stage ``world``: a demo city on disk."""

from __future__ import annotations

from showcase_utils.artifacts import BuildContext
from showcase_utils.demo_world.world import grow


def build_world(context: BuildContext) -> None:
    """Grow the city of ``settings.world``: reviews in the published format, photos, annotations, truth."""
    grow(context.out, **context.settings.world.model_dump(), progress=context.progress)
