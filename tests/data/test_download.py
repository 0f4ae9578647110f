"""The cache: whole files with the right checksum, or none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from isthmus.data.download import Remote, cache_folder, fetch
from isthmus.errors import DataError


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    path = tmp_path / "server" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(b"abc" * 1000)
    return Remote(path.as_uri(), hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest())


def test_a_file_is_fetched_once(tmp_path: Path, remote: Remote) -> None:
    path = fetch(remote, tmp_path / "cache")
    assert path.read_bytes() == b"abc" * 1000
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]
    gone = Remote(remote.url.replace("server", "gone"), remote.md5)
    assert fetch(gone, tmp_path / "cache") == path


def test_another_file_is_not_kept(tmp_path: Path, remote: Remote) -> None:
    with pytest.raises(DataError, match=r"md5 sum .* expected 123"):
        fetch(Remote(remote.url, "123"), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_file(tmp_path: Path, remote: Remote) -> None:
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(Remote(remote.url + "x", remote.md5), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_cache_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("ISTHMUS_CACHE")
    assert cache_folder().name == "isthmus"
