"""The public face: `__all__`, the table of homes and the type checkers' imports are one list."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus

FACE = Path(isthmus.__file__)
HEAVY = ("torch", "numpy", "sklearn", "scipy", "pyarrow", "PIL", "matplotlib", "click")


def declared_for_type_checkers() -> dict[str, str]:
    """Name -> "module" or "module:name at home" of what stands under `if TYPE_CHECKING:`."""
    (block,) = [
        node
        for node in ast.parse(FACE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    declared: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname == alias.name:
                    declared[alias.name] = str(node.module)
                else:
                    renamed[str(alias.asname)] = f"{node.module}:{alias.name}"
        else:
            assert isinstance(node, ast.Assign)
            declared[ast.unparse(node.targets[0])] = renamed.pop(ast.unparse(node.value))
    assert not renamed
    return declared


def test_all_equals_the_table() -> None:
    assert set(isthmus.__all__) == {"__version__", *isthmus._HOME}
    assert len(isthmus.__all__) == len(set(isthmus.__all__))


def test_type_checkers_see_the_same_names() -> None:
    assert declared_for_type_checkers() == isthmus._HOME


@pytest.mark.parametrize("name", isthmus.__all__)
def test_name_resolves_and_is_listed(name: str) -> None:
    assert getattr(isthmus, name) is not None
    assert name in dir(isthmus)
    if name in isthmus._HOME:
        module, _, at_home = isthmus._HOME[name].partition(":")
        home = importlib.import_module(module)
        assert getattr(isthmus, name) is getattr(home, at_home or name)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Autoencodr'"):
        _ = isthmus.Autoencodr


def test_import_is_light() -> None:
    """`import isthmus` and its `dir` bring in nothing heavy: the command line starts with them."""
    script = (
        "import sys, isthmus; dir(isthmus); isthmus.__version__;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(FACE.parents[1])},
    )
    assert done.stdout.strip() == "[]"
