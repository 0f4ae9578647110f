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


def test_what_failed_leaves_nothing(here):
    with pytest.raises(ZeroDivisionError), clean_start(Path("a/b/run"), Path("last")):
        Path("a/b/run").mkdir()
        Path("a/b/run/config.json").touch()
        raise ZeroDivisionError
    assert list(here.iterdir()) == []


def test_what_has_begun_stays(here):
    with pytest.raises(ZeroDivisionError), clean_start(Path("run"), Path("last")):
        Path("run").mkdir()
        Path("run/last").touch()
        raise ZeroDivisionError
    assert Path("run/last").exists()


def test_what_was_there_stays(here):
    Path("run").mkdir()
    Path("run/mine").touch()
    with pytest.raises(ZeroDivisionError), clean_start(Path("run"), Path("last")):
        raise ZeroDivisionError
    assert Path("run/mine").exists()


def test_a_file_is_no_parent(here):
    Path("file").touch()
    with pytest.raises(RunError, match="cannot be made"), parents_of(Path("file/x.npy")):
        pass
