"""Data and draws of the reference's golden values, written anew from their description."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

SIZES = (3, 4, 5)
BATCH = 16


def grid(sizes=SIZES):
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1).reshape(-1, len(sizes))


def factors_of(random, n, sizes=SIZES):
    return np.stack([random.randint(size, size=n) for size in sizes], 1)


def drawn(random, n):
    """N factors, batch by batch as the reference draws them."""
    return np.concatenate([factors_of(random, min(BATCH, n - i)) for i in range(0, n, BATCH)])


def identity(f):
    return f.astype(np.float64)


def rotated(f):
    a, b, c = f.T.astype(np.float64)
    return np.stack(
        [
            (a + b) / np.sqrt(2),
            (a - b) / np.sqrt(2),
            c + 0.3 * np.sin(1.7 * a),
            0.1 * np.sin(37 * (a + 2 * b + 3 * c)),
        ],
        1,
    )


CODES = {"identity": identity, "rotated": rotated}


def data(name, train=2000, test=1000):
    """The reference's rows to fit on and to score, with RandomState(0)."""
    random = np.random.RandomState(0)
    f, g = drawn(random, train), drawn(random, test)
    return CODES[name](f), f, CODES[name](g), g


@pytest.fixture(scope="session")
def reference():
    """`SIZES`, `grid`, `drawn`, `CODES` and `data`."""
    return SimpleNamespace(SIZES=SIZES, grid=grid, drawn=drawn, CODES=CODES, data=data)
