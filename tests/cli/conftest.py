"""Commands run in this process, and small runs to use them on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from isthmus.cli.main import cli

Command = Callable[..., Result]
QUICK = ("--threads", "1", "--epochs", "1", "--device", "cpu")
COLUMNS = ("width", "height", "weight", "age")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="isthmus")


def run_well(*arguments: object) -> Result:
    result = run(*arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture
def isthmus() -> Command:
    """Run a command that must end well."""
    return run_well


@pytest.fixture
def refused() -> Command:
    """Run a command that must be refused with exit code 2 and one line on standard error."""

    def refuse(*arguments: object) -> Result:
        result = run(*arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.splitlines()) == 1
        return result

    return refuse


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VAE of the digits after an epoch."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    run_well("fit", "digits", "--latent-dim", 4, "--hidden", 32, *QUICK, "-o", folder)
    return folder


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain autoencoder of the digits after an epoch: no density, no argmax."""
    folder = tmp_path_factory.mktemp("runs") / "plain"
    run_well("fit", "digits", "--recipe", "ae", "--hidden", 32, *QUICK, "-o", folder)
    return folder


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file of four columns and a label."""
    path = tmp_path_factory.mktemp("data") / "people.csv"
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "town"])
        writer.writerows([*row, "Ulm" if row[0] > 0 else "Bonn"] for row in rows.tolist())
    return path


@pytest.fixture(scope="session")
def table_run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VAE of the table after an epoch."""
    folder = tmp_path_factory.mktemp("runs") / "table"
    run_well(
        "fit", table, "--label", "town", "--latent-dim", 2, "--hidden", 16, *QUICK, "-o", folder
    )
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
