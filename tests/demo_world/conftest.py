from __future__ import annotations

import pytest

from showcase_utils.demo_world.visits import World, imagine


@pytest.fixture(scope="session")
def demo_city() -> World:
    """The world of the demo profile, in memory."""
    return imagine(1, restaurants=160, users=2500, reviews=8000, photos=12000)
