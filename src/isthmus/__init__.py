"""Compose, train, measure and explore autoencoders.

The public names. Each is imported when it is first used, so that `import isthmus` costs nothing;
`_HOME` says where a name lives, and the block below it tells type checkers the same.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isthmus.registry import RECIPES
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.data.spec import DataSpec as DataSpec
    from isthmus.errors import IsthmusError as IsthmusError

# To add a public name: one line here and one import above; tests/test_public.py compares them.
_HOME = {
    "DataSpec": "isthmus.data.spec",
    "IsthmusError": "isthmus.errors",
}

__all__ = ["__version__", *_HOME]

RECIPES.fill_with(lambda: importlib.import_module("isthmus.recipes"))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}", name=name)
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
