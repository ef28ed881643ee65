"""Personalized Showcases: photos and text that say why a place suits a user."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from showcase_utils.generation.model import ShowcaseGenerator
    from showcase_utils.generation.processor import ShowcaseProcessor
    from showcase_utils.showcase import Place, Profile, Showcases

__all__ = ["Place", "Profile", "ShowcaseGenerator", "ShowcaseProcessor", "Showcases", "__version__"]
__version__ = "0.1.0"

_HOMES = {
    "ShowcaseGenerator": "showcase_utils.generation.model",
    "ShowcaseProcessor": "showcase_utils.generation.processor",
}


def __getattr__(name: str) -> Any:
    """The product's classes, imported at the first need: PyTorch takes seconds."""
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "showcase_utils.showcase")), name)
    raise AttributeError(f"module 'showcase_utils' has no attribute '{name}'")


class _Ours(ModuleType):
    """Stands where transformers keeps a model type's module: our classes are imported when it first asks for one."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("Showcase"):  # whoever walks through all modules looks for __file__ and the like
            raise AttributeError(name)
        return getattr(importlib.import_module("showcase_utils.generation.auto"), name)


class _Announcing(MetaPathFinder):
    """Tells transformers of our model type when its Auto classes are imported, which may be never."""

    found: ClassVar[set[str]] = set()

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname not in _AUTO or fullname in self.found:
            return None
        self.found.add(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def and_announce(module: Any) -> None:
                execute(module)
                _AUTO[fullname](module)

            spec.loader.exec_module = and_announce  # type: ignore[method-assign]
        return spec


_AUTO: dict[str, Callable[[Any], None]] = {
    "transformers.models.auto.configuration_auto": lambda auto: auto.CONFIG_MAPPING._mapping.update(
        showcase="ShowcaseConfig"
    ),
    "transformers.models.auto.processing_auto": lambda auto: auto.PROCESSOR_MAPPING_NAMES.update(
        showcase="ShowcaseProcessor"
    ),
}
sys.modules["transformers.models.showcase"] = _Ours("transformers.models.showcase")
sys.meta_path.insert(0, _Announcing())
for _name in _AUTO.keys() & sys.modules.keys():  # imported before
    _AUTO[_name](sys.modules[_name])
