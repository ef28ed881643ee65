"""The small CLIP, the photos and the plates of the tests of encoding."""

from tests.encoding.conftest import clip, clip_folder, features, offline, photos, plates, settings

__all__ = ["clip", "clip_folder", "features", "offline", "photos", "plates", "settings"]
