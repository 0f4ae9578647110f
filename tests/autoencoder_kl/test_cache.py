"""The latents' file against safetensors' own writer and reader."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from isthmus.autoencoder_kl.cache import CODES, MOMENTS, LatentCache, LatentWriter, Shelf
from isthmus.errors import DataError
from isthmus.writing import TensorFile

SHELVES = [Shelf((16, 24), ("a", "b", "ü"), (4, 2, 3)), Shelf((8, 8), ("c",), (4, 1, 1))]


def test_rows_in_any_order_give_the_file_that_safetensors_writes(tmp_path):
    tensors = {
        "x": np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32),
        "y": np.arange(4, dtype=np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }
    file = TensorFile(tmp_path / "t", {k: t.shape for k, t in tensors.items()}, {"said": "so"})
    file.put("y", 0, tensors["y"])
    for first in (3, 0, 2, 1, 4):
        file.put("x", first, tensors["x"][first : first + 1])
    file.close()
    found = load_file(tmp_path / "t")
    assert found.keys() == tensors.keys()
    for name, expected in tensors.items():
        np.testing.assert_array_equal(found[name].numpy(), expected)


def _written(path, kept):
    generator = torch.Generator().manual_seed(0)
    writer = LatentWriter(path, SHELVES, kept, {"mode": "mean", "scaled": True})
    values = {}
    for shelf in SHELVES:
        for name in kept:
            z = torch.randn(len(shelf.names), *shelf.shape, generator=generator)
            values[name, shelf.size] = z
            writer.put(name, shelf.size, 1, z[1:])
            writer.put(name, shelf.size, 0, z[:1])
    writer.close()
    return values


def test_what_was_put_comes_back_by_size_and_name(tmp_path):
    values = _written(tmp_path / "z.safetensors", CODES)
    cache = LatentCache(tmp_path / "z.safetensors")
    assert cache.shelves == tuple(SHELVES)
    assert len(cache) == 4
    assert cache.scaled
    for shelf in SHELVES:
        parts = list(cache.batches(shelf.size, 2))
        assert sum((names for names, _ in parts), ()) == shelf.names
        assert torch.equal(torch.cat([z for _, z in parts]), values["latents", shelf.size])
    with pytest.raises(DataError, match="encode with --mode moments"):
        cache.sample((8, 8), [0])


def test_a_draw_is_the_mean_and_the_deviation_times_noise(tmp_path):
    values = _written(tmp_path / "z.safetensors", MOMENTS)
    cache = LatentCache(tmp_path / "z.safetensors")
    rows = [2, 0]
    mean, log_variance = (values[name, (16, 24)][rows] for name in MOMENTS)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(3))
    expected = mean + noise * log_variance.exp().sqrt()
    torch.testing.assert_close(cache.sample((16, 24), rows, 3), expected)
    assert not torch.equal(cache.sample((16, 24), rows), cache.sample((16, 24), rows))


def test_other_safetensors_are_no_cache(tmp_path):
    save_file({"latents": torch.zeros(1, 4, 2, 2)}, tmp_path / "z.safetensors")
    with pytest.raises(DataError, match="is no cache of latents"):
        LatentCache(tmp_path / "z.safetensors")
