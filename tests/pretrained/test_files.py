"""Weight files: found, read, written; what is cut, missing or a pickle is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from isthmus.errors import CheckpointError, OptionError
from isthmus.pretrained.files import (
    Weights,
    compare_tensors,
    wanted_files,
    weight_files,
    weights_name,
    write_weights,
)

INDEX = "diffusion_pytorch_model.safetensors.index.json"


def tensors(n: int = 5) -> dict[str, Tensor]:
    # 400 bytes each; a transposed one is not contiguous.
    return {f"t{i}": torch.randn(10, 10).T for i in range(n)}


def read_all(place: Path, variant: str | None = None) -> dict[str, Tensor]:
    weights = Weights.of(place, variant)
    return weights.read(weights.shapes)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(t, b[n]) for n, t in a.items())


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize(("limit", "files"), [(None, 1), (2000, 1), ("1KB", 3), (10, 5)])
def test_written_and_read(
    tmp_path: Path, limit: int | str | None, files: int, variant: str | None
) -> None:
    given = tensors()
    paths = write_weights(tmp_path, given, variant, limit)
    assert len(paths) == files
    assert weight_files(tmp_path, variant) == sorted(paths)
    assert same(read_all(tmp_path, variant), given)
    with safe_open(paths[0], framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    indices = list(tmp_path.glob("*.json"))
    assert len(indices) == (files > 1)
    for index in indices:
        assert json.loads(index.read_text())["metadata"] == {"total_size": 2000}
        assert variant is None or variant in index.name


def test_another_number_of_shards_leaves_none_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")
    write_weights(tmp_path, tensors(), "fp16")
    for limit in ("1KB", None, 10):
        given = tensors()
        written = write_weights(tmp_path, given, None, limit)
        assert same(read_all(tmp_path), given)
        plain = {p for p in tmp_path.glob("*.safetensors") if "fp16" not in p.name}
        assert plain == set(written)
    assert (tmp_path / "notes.txt").exists()
    assert (tmp_path / weights_name("fp16")).exists()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tensors()
    write_weights(tmp_path, given)

    def fail(values: Any, path: Path, **_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr("isthmus.pretrained.files.save_file", fail)
    with pytest.raises(OSError, match="no space"):
        write_weights(tmp_path, tensors())
    assert same(load_file(tmp_path / weights_name()), given)
    assert len(list(tmp_path.iterdir())) == 1


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    given = tensors()
    write_weights(tmp_path, given, max_shard_size=10)
    assert same(Weights.of(tmp_path).read(["t1", "t3"]), {n: given[n] for n in ("t1", "t3")})


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt", ".pth"])
def test_the_line_that_converts_a_pickle_works(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tensors()
    path = tmp_path / f"diffusion_pytorch_model{suffix}"
    torch.save({"state_dict": {**given, "again": given["t0"]}, "epoch": 3}, path)
    for place in (path, tmp_path):
        with pytest.raises(CheckpointError, match="is a pickle") as error:
            weight_files(place)
        assert "\n" not in str(error.value)
        line = str(error.value).partition("in Python: ")[2]
        monkeypatch.chdir(tmp_path)
        exec(line, {})
        assert same(read_all(tmp_path), {**given, "again": given["t0"]})
        (tmp_path / weights_name()).unlink()


def test_what_stands_in_place_of_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no folder"):
        weight_files(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="There is no file"):
        weight_files(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match="holds no weights: expected diffusion_pytorch_model"):
        weight_files(tmp_path)
    write_weights(tmp_path, tensors(), "fp16", 10)
    with pytest.raises(CheckpointError, match="give variant='fp16'"):
        weight_files(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "vae-ema.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"vae-ema\.safetensors .*path of the file itself"):
        weight_files(tmp_path)


def test_a_cut_file(tmp_path: Path) -> None:
    write_weights(tmp_path, tensors())
    path = tmp_path / weights_name()
    whole = path.read_bytes()
    for cut in (len(whole) // 2, 4, 0):
        path.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match="is cut or no safetensors file"):
            Weights.of(tmp_path)


def test_a_missing_shard(tmp_path: Path) -> None:
    paths = write_weights(tmp_path, tensors(), None, 10)
    paths[1].unlink()
    paths[3].unlink()
    with pytest.raises(CheckpointError, match=r"lacks .*00002-of-00005\.safetensors and 1 more"):
        Weights.of(tmp_path)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/x.safetensors", "w.bin"])
def test_an_index_names_files_beside_it_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"t": name}}))
    with pytest.raises(CheckpointError, match="which is no safetensors file beside it"):
        Weights.of(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"t": [1]}}'])
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(CheckpointError, match="is no index"):
        Weights.of(tmp_path)


def test_tensors_that_do_not_fit_are_counted_and_the_first_named() -> None:
    expected = {f"t{i}": (2, 3) for i in range(6)}
    found = {"t0": (2, 3), "t1": (3, 2), "x": (1,)}
    with pytest.raises(CheckpointError) as error:
        compare_tensors(found, expected, Path("here"))
    said = str(error.value)
    assert "lacks 4 tensors (t2, t3, t4, ...)" in said
    assert "has 1 unknown tensor (x)" in said
    assert "another shape for 1 tensor (t1 (3, 2) (expected (2, 3)))" in said
    compare_tensors(expected, expected, Path("here"))


@pytest.mark.parametrize("size", ["5 apples", "0", -3, "GB"])
def test_sizes_that_are_none(tmp_path: Path, size: Any) -> None:
    with pytest.raises(OptionError, match="max_shard_size"):
        write_weights(tmp_path, tensors(), None, size)
    assert list(tmp_path.iterdir()) == []


def test_a_variant_is_a_word(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'fp16'"):
        weights_name("../fp16")


def test_patterns_take_one_variant_alone() -> None:
    from fnmatch import fnmatch

    stem = "diffusion_pytorch_model"
    names = {
        None: (f"{stem}.safetensors", f"{stem}-00001-of-00002.safetensors", INDEX),
        "fp16": (
            f"{stem}.fp16.safetensors",
            f"{stem}.fp16-00001-of-00002.safetensors",
            f"{stem}-00001-of-00002.fp16.safetensors",
            f"{stem}.safetensors.index.fp16.json",
        ),
    }
    for variant in names:
        patterns = wanted_files(variant)
        for other, files in names.items():
            for file in files:
                assert any(fnmatch(file, p) for p in patterns) == (other == variant), (
                    file,
                    variant,
                )
