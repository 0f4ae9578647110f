"""Optional dependencies: a module, or an error with the exact line that installs it."""

from __future__ import annotations

import importlib
from types import ModuleType

from isthmus.errors import MissingDependencyError

# Import name -> the extra of this package that brings it.
EXTRAS = {
    "tensorboard": "tensorboard",
    "pandas": "pandas",
    "polars": "polars",
    "huggingface_hub": "hub",
}


def need(module: str, purpose: str) -> ModuleType:
    """Import `module`, which `purpose` cannot do without.

    Args:
        module: Import name, dotted where a submodule is wanted.
        purpose: What it is for, as the error's first words.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        extra = EXTRAS.get(package)
        line = f"pip install 'isthmus[{extra}]'" if extra else f"pip install {package}"
        raise MissingDependencyError(
            f"{purpose} needs the package {package!r}, which cannot be imported ({error}); "
            f"install it with: {line}"
        ) from error
