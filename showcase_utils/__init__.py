"""Personalized Showcases: photos and text that say why a place suits a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from showcase_utils.showcase import Place, Profile, Showcases

__all__ = ["Place", "Profile", "Showcases", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The product's classes, imported at the first need: PyTorch takes seconds."""
    if name in __all__:
        from showcase_utils import showcase

        return getattr(showcase, name)
    raise AttributeError(f"module 'showcase_utils' has no attribute '{name}'")
