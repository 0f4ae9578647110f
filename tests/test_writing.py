"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import time

import pytest

from isthmus.writing import FORSAKEN, replacing, write_bytes


def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "codes.npy"
    write_bytes(path, b"old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["codes.npy"]


def test_what_a_killed_process_left_goes_and_what_another_writes_stays(tmp_path):
    path = tmp_path / "codes[1].npy"
    forsaken, written, other = (
        tmp_path / name
        for name in (".codes[1].npy.71.tmp", ".codes[1].npy.72.tmp", ".codes1.npy.73.tmp")
    )
    for left in (forsaken, written, other):
        left.write_bytes(b"half")
    long_ago = time.time() - FORSAKEN - 60
    for left in (forsaken, other):
        os.utime(left, (long_ago, long_ago))
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == [other.name, written.name, path.name]
