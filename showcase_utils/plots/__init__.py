"""Figures from frames; one palette, one layout of thumbnails, one writer into the figures folder."""

from showcase_utils.extras import extra

with extra("notebooks", "drawing"):
    import matplotlib  # noqa: F401
