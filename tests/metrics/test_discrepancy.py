"""MMD against loops, its expectation, its error and a closed form of Gaussians."""

import numpy as np
import pytest

from isthmus.errors import DataError, UnknownNameError
from isthmus.metrics import mmd

KERNELS = {
    "gaussian": lambda d2, w: np.exp(-d2 / w),
    "inverse-multiquadratic": lambda d2, w: w / (w + d2),
}


def by_loops(x, y, kernel):
    both = np.concatenate([x, y])
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(both) for b in both[i + 1 :]]
    width = np.median(pairs)

    def k(a, b):
        return KERNELS[kernel](((a - b) ** 2).sum(), width)

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_the_definition(kernel):
    chance = np.random.default_rng(0)
    x, y = chance.normal(size=(12, 3)), chance.normal(size=(9, 3)) + 0.5
    assert mmd(x, y, kernel).value == pytest.approx(by_loops(x, y, kernel), abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_repeats_scatter_about_the_true_value_by_the_stated_error(shift):
    """E k(a, b) of Gaussians under a Gaussian kernel is known: width w, a − b ~ N(δ, 2 I)."""
    found = []
    for seed in range(60):
        chance = np.random.default_rng(seed)
        x, y = chance.normal(size=(80, 2)), chance.normal(size=(90, 2)) + np.array([shift, 0.0])
        found.append(mmd(x, y))
    values = np.array([f.value for f in found])
    # The median of squared distances depends on the shift; any width has this closed form.
    chance = np.random.default_rng(99)
    many = chance.normal(size=(3000, 2))
    many[1500:, 0] += shift
    a, b = many[::2], many[chance.permutation(3000)[:1500]]
    width = float(np.median(((a - b) ** 2).sum(1)[((a - b) ** 2).sum(1) > 0]))

    def expected(delta):
        return width / (width + 4) * np.exp(-(delta**2) / (width + 4))

    truth = 2 * expected(0.0) - 2 * expected(shift)
    assert values.mean() == pytest.approx(truth, abs=3 * values.std() / np.sqrt(60) + 0.004)
    if shift:
        assert np.mean([f.error for f in found]) == pytest.approx(values.std(), rel=0.3)


def test_refusals():
    x = np.random.default_rng(0).normal(size=(5, 2))
    with pytest.raises(UnknownNameError, match="gaussian"):
        mmd(x, x, "gausian")
    with pytest.raises(DataError, match="three rows"):
        mmd(x[:2], x)
    assert mmd(np.ones((4, 1)), np.ones((5, 1))).value == pytest.approx(0.0, abs=1e-12)
