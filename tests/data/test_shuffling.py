"""The same data in another order, whatever they are held in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch
from PIL import Image

from isthmus.data import Cropped, Pictures, Sparse, load, shuffled, sparse
from isthmus.data.binarized import Binarized

N = 60
RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(3), N // 3)


def whole(source):
    batches = list(source.chunks(7))
    parts = [torch.cat([b.x for b in batches]).flatten(1)]
    for name in ("labels", "condition"):
        found = [getattr(b, name) for b in batches]
        if found[0] is not None:
            parts.append(torch.cat(found).reshape(N, -1).float())
    return torch.cat(parts, 1).numpy()


def pictures(folder):
    for i in range(N):
        path = folder / "abc"[LABELS[i]] / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8 + i % 2, 9), 4 * i, np.uint8)).save(path)
    return load(folder, crop=8)


def made(form, folder, monkeypatch):
    x = RNG.normal(size=(N, 4)).astype(np.float32)
    images = RNG.integers(0, 2, (N, 1, 5, 5)).astype(np.uint8)
    match form:
        case "table":
            return load(x, labels=LABELS, condition="label")
        case "sparse":
            monkeypatch.setattr(sparse, "DENSE_BYTES", 0)
            return load(scipy.sparse.csr_matrix(x), labels=LABELS)
        case "crops":
            return load(images, labels=LABELS, crop=4)
        case "binarized":
            return Binarized(load(images, labels=LABELS, support="unit"))
        case "sprites":
            return load("shapes", n=N, condition="label")
        case "pictures":
            return pictures(folder)


@pytest.mark.parametrize("form", ["table", "sparse", "crops", "binarized", "sprites", "pictures"])
def test_rows_change_places_and_nothing_else(form, tmp_path, monkeypatch):
    source = made(form, tmp_path, monkeypatch)
    other = shuffled(source, 3)
    assert type(other) is type(source)
    assert isinstance(
        other, {"sparse": Sparse, "crops": Cropped, "pictures": Pictures}.get(form, object)
    )
    assert other.spec == source.spec
    before, after = whole(source), whole(other)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(sorted(before.tolist()), sorted(after.tolist()))
    np.testing.assert_array_equal(after, whole(shuffled(source, 3)))
    # A chunk of a third of the data holds all three classes.
    labels = next(other.chunks(N // 3)).labels
    assert set(labels.tolist()) == {0, 1, 2}


def test_a_stream_stays_as_it_is(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": np.arange(N, dtype=np.float32)}), path)
    source = load(path, max_bytes=1)
    assert shuffled(source, 3) is source
