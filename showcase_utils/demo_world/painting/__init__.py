"""The painter of the demo world: a scene and a seed in, a small photo out. PIL and numpy only."""

from showcase_utils.demo_world.painting.photos import Job, paint, paint_all, save_photo

__all__ = ["Job", "paint", "paint_all", "save_photo"]
