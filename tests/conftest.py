"""What every test starts from: a fixed seed, and fixtures for what a machine may not have."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import final

import pytest
import torch
from hypothesis import settings

from isthmus.training import Listener, Record

# A busy machine must not fail a test, and the same commit must meet the same examples.
settings.register_profile("isthmus", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("isthmus")

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Torch's generator starts the same in each test; numpy's global one is nobody's to use."""
    torch.manual_seed(0)


@pytest.fixture
def float64() -> Iterator[None]:
    """Doubles by default, for a test against an oracle."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="session")
def away() -> ModuleType:
    """The device without numbers of its own, `elsewhere.py`."""
    path = Path(__file__).with_name("elsewhere.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@final
class Stopping(Listener):
    """Ends a run at a step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def hear(self, record: Record) -> None:
        if record["step"] == self.step:
            raise KeyboardInterrupt

    def close(self) -> None:
        pass


@pytest.fixture
def stopping() -> type[Stopping]:
    """A listener that ends a run at a step."""
    return Stopping


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets that ISTHMUS_DATA names."""
    named = os.environ.get("ISTHMUS_DATA")
    if not named:
        pytest.skip("ISTHMUS_DATA names no folder of data sets")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"ISTHMUS_DATA={named} is not a folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed browser; none is ever downloaded."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip("no chromium on this machine (Debian: apt install chromium)")
