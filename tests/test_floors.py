"""The house rules, read from the source: floors, cycles, file lengths.

A module imports only from a lower floor or from its own folder. Imports count wherever they stand:
at the top, in a function, under TYPE_CHECKING, or as a module's name in a string (lazy tables,
`import_module`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
FACE = "isthmus"
LONGEST_FILE = 350

FLOORS = {
    "answering": 0,
    "distances": 0,
    "ssim": 0,
    "errors": 0,
    "maths": 0,
    "optional": 0,
    "registry": 0,
    "version": 0,
    "writing": 0,
    "zuko": 0,
    "data": 1,
    "leapfrog": 1,
    "schedules": 1,
    "distributions": 1,
    "metrics": 1,
    "evidence": 2,
    "importance": 2,
    "networks": 2,
    "perceptual": 2,
    "conditions": 3,
    "likelihoods": 3,
    "posteriors": 3,
    "pretrained": 3,
    "priors": 3,
    "agreement": 4,
    "imputation": 4,
    "objectives": 4,
    "model": 5,
    "sequence": 5,
    "store": 5,
    "annealing": 6,
    "autoencoder_kl": 6,
    "baselines": 6,
    "classification": 6,
    "latent": 6,
    "outliers": 6,
    "recipes": 6,
    "resuming": 6,
    "training": 6,
    "fitting": 7,
    "codec": 8,
    "densities": 8,
    "estimators": 8,
    "evaluation": 8,
    "screening": 8,
    "explorer": 9,
    "report": 9,
    "cli": 10,
    "__main__": 11,
}

# (importer, imported) on one floor -> why. Every line here is a debt; the shorter the better.
SAME_FLOOR_ALLOWED = {
    ("registry", "errors"): "an unknown name is one of the package's own errors",
    ("optional", "errors"): "a missing package is one of the package's own errors",
    ("store", "model"): "what a folder stores and gives back is a model",
}


def read_modules(root: Path) -> dict[str, str]:
    """Module name -> source text of every module under `root`."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = path.read_text(encoding="utf-8")
    return modules


def imports_in(text: str, known: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """(what is imported, line) of every import of this package in one module's text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if base != FACE and full in known else base), node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in known and node.value != FACE:
                yield node.value, node.lineno
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            # import_module(f"isthmus.recipes.{family}") reaches into that folder.
            folder, dot, _ = str(node.values[0].value).rpartition(".")
            if dot and folder in known and folder != FACE:
                yield folder, node.lineno


def unit(module: str) -> str:
    """The file or folder directly under the package: what a floor is given to."""
    return module.split(".")[1]


def complaint(importer: str, imported: str) -> str | None:
    """Why this import breaks the rule, or None."""
    if imported.startswith("."):
        return "is relative: write absolute imports"
    if imported == FACE:
        return "is the public face, which nothing inside imports"
    a, b = unit(importer), unit(imported)
    if b not in FLOORS:
        return "has no floor"
    if a == b or FLOORS[b] < FLOORS[a] or (a, b) in SAME_FLOOR_ALLOWED:
        return None
    direction = "sideways" if FLOORS[a] == FLOORS[b] else "upward"
    return f"is {direction}: floor {FLOORS[a]} imports floor {FLOORS[b]}"


def violations(modules: Mapping[str, str]) -> list[str]:
    """Every broken rule among these modules, one line each."""
    found = []
    graph: dict[str, set[str]] = {}
    for module, text in modules.items():
        if module == FACE:
            continue
        if unit(module) not in FLOORS:
            found.append(f"{module} has no floor: give {unit(module)!r} one in FLOORS")
            continue
        for imported, line in imports_in(text, modules):
            if imported.split(".")[0] not in (FACE, ""):
                continue
            if why := complaint(module, imported):
                found.append(f"{module}:{line}: the import of {imported} {why}")
            if imported != module:
                graph.setdefault(module, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append("cycle: " + " <- ".join(error.args[1]))
    return found


@pytest.fixture(scope="module")
def house() -> dict[str, str]:
    return read_modules(SRC)


def test_the_house_keeps_its_floors(house: dict[str, str]) -> None:
    assert "isthmus.errors" in house
    assert violations(house) == []


def test_no_file_is_long(house: dict[str, str]) -> None:
    lengths = {name: text.count("\n") for name, text in house.items()}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for path in (SRC / FACE).rglob("*.py")}
    assert sorted(str(f) for f in folders if not (f / "__init__.py").exists()) == []


def test_exceptions_stay_on_one_floor_and_say_why() -> None:
    for (a, b), reason in SAME_FLOOR_ALLOWED.items():
        assert FLOORS[a] == FLOORS[b]
        assert len(reason.split()) > 3


BROKEN = {
    "upward at the top": (
        {"isthmus.maths": "from isthmus.networks.mlp import MLP", "isthmus.networks.mlp": ""},
        "upward",
    ),
    "upward in a function": (
        {"isthmus.maths": "def f():\n    import isthmus.model", "isthmus.model": ""},
        "isthmus.maths:2: the import of isthmus.model is upward",
    ),
    "upward for type checkers": (
        {
            "isthmus.evidence": "if TYPE_CHECKING:\n    from isthmus.model import LatentModel",
            "isthmus.model": "",
        },
        "upward",
    ),
    "upward by import_module": (
        {
            "isthmus.store": "importlib.import_module('isthmus.recipes')",
            "isthmus.recipes": "",
        },
        "upward",
    ),
    "upward by an f-string": (
        {
            "isthmus.store": "import_module(f'isthmus.recipes.{family}')",
            "isthmus.recipes": "",
        },
        "upward",
    ),
    "upward by a package's submodule": (
        {"isthmus.data.io": "from isthmus.training import loop", "isthmus.training.loop": ""},
        "isthmus.training.loop is upward",
    ),
    "sideways": (
        {"isthmus.priors.flow": "from isthmus.posteriors import iaf", "isthmus.posteriors": ""},
        "sideways",
    ),
    "sideways against an exception": (
        {"isthmus.model": "import isthmus.store", "isthmus.store": ""},
        "sideways",
    ),
    "the public face": ({"isthmus.cli.fit": "import isthmus"}, "public face"),
    "a name from the public face": (
        {"isthmus.cli.fit": "from isthmus import data", "isthmus.data": ""},
        "public face",
    ),
    "relative": ({"isthmus.data.io": "from .spec import DataSpec"}, "relative"),
    "no floor": ({"isthmus.helpers.misc": ""}, "'helpers'"),
    "from no floor": ({"isthmus.cli.fit": "import isthmus.helpers"}, "has no floor"),
    "a cycle in a folder": (
        {
            "isthmus.data.a": "from isthmus.data.b import f",
            "isthmus.data.b": "def g():\n    from isthmus.data.c import h",
            "isthmus.data.c": "from isthmus.data import a",
        },
        "cycle: ",
    ),
}


@pytest.mark.parametrize(("modules", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_is_found(modules: dict[str, str], expected: str) -> None:
    found = violations(modules)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "from isthmus.errors import DataError",
        "from isthmus.data.spec import DataSpec",
        "import torch\nfrom torch import nn",
        "'a docstring that names isthmus.cli.main in a sentence'",
    ],
)
def test_a_kept_rule_is_not(text: str) -> None:
    modules = {"isthmus.data.io": text, "isthmus.data.spec": "", "isthmus.cli.main": ""}
    assert violations(modules) == []


def test_the_public_face_may_name_everything() -> None:
    assert violations({"isthmus": "import isthmus.cli.main", "isthmus.cli.main": ""}) == []
