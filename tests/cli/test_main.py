from __future__ import annotations

import errno
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from isthmus.cli.main import COMMANDS, cli
from isthmus.version import __version__

HEAVY = ("torch", "numpy", "sklearn", "pydantic", "pyarrow", "rich", "yaml", "scipy")
ENTRY = "from isthmus.cli.main import main; main()"


def console(*arguments: str, code: str = ENTRY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], []])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom isthmus.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = console(*arguments, code=code)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_quick():
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert console("--help").returncode == 0
        times.append(time.perf_counter() - start)
    # 0.3 s is the aim on a machine of one's own; this one may be shared.
    assert statistics.median(times) < 1.0


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_what_they_are(name, isthmus):
    command = cli.get_command(click.Context(cli), name)
    assert command.name == name
    assert command.help.splitlines()[0] == COMMANDS[name].help
    assert isthmus(name, "-h").stdout.startswith(f"Usage: isthmus {name}")
    assert COMMANDS[name].help in isthmus("--help").stdout


def test_version(isthmus):
    assert __version__ in isthmus("--version").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fitt"], "Did you mean 'fit'?"),
        (["encode"], "Missing argument 'RUN'"),
        (["fit", "digits", "--epocs", "3"], "--epochs"),
        (["fit", "digits", "--epochs", "few"], "few"),
        (["fit", "digits", "--recipe", "vea"], "Did you mean 'vae'?"),
        (["fit", "digit"], "Did you mean 'digits'?"),
        (["fit", "nowhere.csv"], "nowhere.csv"),
        (["recipes", "vea"], "Did you mean 'vae'?"),
        (["encode", "nowhere", "digits", "-o", "c.npy"], "no run folder nowhere"),
        (["report", "nowhere"], "no folder nowhere"),
        (["compare", "digits", "--models", "pcaa", "-o", "c"], "Did you mean 'pca'?"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(arguments, said, refused, here):
    assert said in refused(*arguments).stderr
    assert list(here.iterdir()) == []


def test_no_command_shows_the_help_as_it_is(isthmus):
    done = console()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == isthmus("--help").stdout


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT])
def test_what_the_system_refuses_is_one_line(number, refused, here, monkeypatch):
    def fails(*arguments, **options):
        raise OSError(number, os.strerror(number), "place/x.csv")

    monkeypatch.setattr("isthmus.cli.recipes.recipes.callback", fails)
    said = refused("recipes").stderr
    assert os.strerror(number) in said
    assert "place/x.csv" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(here, refused, monkeypatch):
    def full(path, content):
        with Path("/dev/full").open("wb") as file:
            file.write(content)

    monkeypatch.setattr("isthmus.writing.write_bytes", full)
    monkeypatch.setattr("isthmus.store.write_bytes", full)
    said = refused("fit", "digits", "--epochs", "1", "--hidden", "8", "-o", "run").stderr
    assert "No space left on device" in said
    assert list(here.iterdir()) == []


def test_an_unexpected_error_keeps_its_traceback():
    code = (
        "import isthmus.cli.recipes as r\n"
        "def broken(*_): raise ZeroDivisionError('a bug')\n"
        "r._list = broken\n" + ENTRY
    )
    done = console("recipes", code=code)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a bug" in done.stderr


def test_an_interrupt_ends_with_130():
    code = (
        "import isthmus.cli.recipes as r\n"
        "def broken(*_): raise KeyboardInterrupt\n"
        "r._list = broken\n" + ENTRY
    )
    done = console("recipes", code=code)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet():
    command = f"{sys.executable} -c '{ENTRY}' recipes --json | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


def test_warnings_of_libraries_are_not_shown():
    code = (
        "import warnings, isthmus.cli.recipes as r\n"
        "r._list = lambda _: warnings.warn('for programmers')\n" + ENTRY
    )
    done = console("recipes", code=code)
    assert (done.returncode, done.stderr) == (0, "")
