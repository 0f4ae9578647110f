"""Small data, the parts of `seams.py`, and processes that may be killed."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import runpy
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from isthmus.data import Source, load
from isthmus.objectives import OBJECTIVES

HERE = Path(__file__).parent
# torch imports its compiler with the first optimiser.
PRELOAD = ["isthmus.fitting", "sklearn.datasets", "torch._dynamo", "pyarrow.parquet"]


@pytest.fixture(scope="session")
def digits() -> Source:
    return load("digits")


@pytest.fixture(scope="session")
def table() -> Source:
    """200 rows of 6 columns around a plane."""
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(200, 2, generator=generator)
    x = z @ torch.randn(2, 6, generator=generator)
    return load((x + 0.1 * torch.randn(200, 6, generator=generator)).numpy())


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Options of a run of a second or less on one thread."""
    return {"hidden": (16,), "latent_dim": 2, "threads": 1, "epochs": 4, "batch_size": 32}


@pytest.fixture
def seams() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("seams", HERE / "seams.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    # No other test shall meet it in a registry.
    del OBJECTIVES._entries["test-adversarial"]


@pytest.fixture(scope="session")
def _server() -> Any:
    """Processes come from a server that has imported everything and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


@pytest.fixture
def start(_server: Any) -> Iterator[Callable[..., Any]]:
    """Start `apart.py`, or another `script`, on a job; what still runs at the end of the test is
    killed.
    """
    begun = []

    def begin(script: str = "apart.py", **job: Any) -> Any:
        process = _server.Process(
            target=runpy.run_path,
            args=(str(HERE / script),),
            kwargs={"init_globals": {"job": job}},
        )
        process.start()
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.join()


@pytest.fixture
def start_two(start: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Start a job in two processes that train together, and wait for both."""

    def begin(**job: Any) -> list[Any]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
        weights = job.pop("weights", None)
        ranks = [
            start(
                **job,
                environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                weights=weights and f"{weights}.{rank}",
            )
            for rank in range(2)
        ]
        for process in ranks:
            process.join(120)
        return ranks

    return begin


@pytest.fixture(scope="session")
def timeless() -> Callable[[Path], list[dict[str, Any]]]:
    """The records of a history file without their wall-clock seconds."""

    def read(folder: Path) -> list[dict[str, Any]]:
        lines = (folder / "history.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        for record in records:
            del record["seconds"]
        return records

    return read
