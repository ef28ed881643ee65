"""Figures from frames; one palette, one layout of thumbnails, one writer into the figures folder."""
