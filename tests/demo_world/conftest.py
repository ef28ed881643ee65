from __future__ import annotations

import pytest

from showcase_utils.demo_world.visits import World, imagine


@pytest.fixture(scope="session")
def demo_city() -> World:
    """The world of the demo profile, in memory: five seconds."""
    return imagine(1, restaurants=160, users=2500, reviews=8000, photos=12000)


@pytest.fixture(scope="session")
def town() -> World:
    """A quarter of it, for what holds in every world and for what a quarter is enough to see."""
    return imagine(1, restaurants=40, users=625, reviews=2000, photos=3000)
