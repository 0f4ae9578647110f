"""Optional packages: there, or an error with the line that installs them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from isthmus.errors import IsthmusError, MissingDependencyError
from isthmus.optional import EXTRAS, need

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_installed_module_is_returned() -> None:
    assert need("json", "Writing JSON") is json


def test_submodule_is_returned() -> None:
    assert need("json.decoder", "Reading JSON").__name__ == "json.decoder"


def test_missing_package_of_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "no_such_package", "plots")
    with pytest.raises(MissingDependencyError) as caught:
        need("no_such_package.deep", "A figure")
    assert str(caught.value).startswith("A figure needs the package 'no_such_package'")
    assert str(caught.value).endswith("pip install 'isthmus[plots]'")
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, IsthmusError)


def test_missing_package_without_an_extra() -> None:
    with pytest.raises(MissingDependencyError, match=r"pip install no_such_package$"):
        need("no_such_package", "A figure")


@pytest.mark.parametrize("package", EXTRAS)
def test_extra_is_declared_and_brings_its_package(package: str) -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert any(line.startswith(package) for line in extras[EXTRAS[package]])
