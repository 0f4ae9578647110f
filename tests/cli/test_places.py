from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.cli.places import clean_start, free_folder, latest_folder, parents_of
from isthmus.errors import RunError


def test_free_and_latest_folders(here):
    with pytest.raises(RunError, match="runs/vae-x"):
        latest_folder("vae-x")
    for name in ("vae-x", "vae-x-2", "vae-x-3"):
        folder = free_folder("vae-x")
        assert folder == Path("runs") / name
        folder.mkdir(parents=True)
        assert latest_folder("vae-x") == folder


def fail_in(folder, *files):
    with clean_start(folder, Path("last")):
        folder.mkdir(exist_ok=True)
        for name in files:
            (folder / name).touch()
        raise ZeroDivisionError


def test_what_failed_leaves_nothing(here):
    with pytest.raises(ZeroDivisionError):
        fail_in(Path("a/b/run"), "config.json")
    assert list(here.iterdir()) == []


def test_what_has_begun_stays(here):
    with pytest.raises(ZeroDivisionError):
        fail_in(Path("run"), "config.json", "last")
    assert Path("run/last").exists()


def test_what_was_there_stays(here):
    Path("run").mkdir()
    Path("run/mine").touch()
    with pytest.raises(ZeroDivisionError):
        fail_in(Path("run"))
    assert Path("run/mine").exists()


def test_a_file_is_no_parent(here):
    Path("file").touch()
    with pytest.raises(RunError, match="cannot be made"), parents_of(Path("file/x.npy")):
        pass
