"""Agreement of clusters with labels, at fixed points and by its definition."""

from math import comb

import numpy as np
import pytest

from isthmus.errors import DataError, UnknownNameError
from isthmus.metrics import cluster_agreement


def blobs(seed=0, spread=0.1):
    chance = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [40, 60, 50])
    centres = np.array([[0.0, 0], [4, 0], [0, 4]])
    return centres[labels] + spread * chance.normal(size=(150, 2)), labels


@pytest.mark.parametrize("clustering", ["k-means", "mixture"])
def test_fixed_points(clustering):
    codes, labels = blobs()
    assert cluster_agreement(codes, labels, clustering) == pytest.approx((1, 1))
    # Names of classes, a rotation, a scale and a dimension that never varies change nothing.
    turned = codes @ np.array([[0.6, 0.8], [-0.8, 0.6]]) * 1e-3
    padded = np.hstack([turned, np.full((150, 1), 7.0)])
    assert cluster_agreement(padded, np.array(list("cab"))[labels], clustering)[0] == 1
    shuffled = np.random.default_rng(1).permutation(labels)
    assert abs(cluster_agreement(codes, shuffled, clustering).ari) < 0.05


def test_figures_are_the_definitions():
    """Two well-kept groups of which one is two classes' mixture, counted by hand."""
    codes = np.repeat([0.0, 10.0], [30, 50])[:, None] + 0.01 * np.arange(80)[:, None]
    labels = np.concatenate([np.zeros(30), np.zeros(10), np.ones(40)])
    counts = np.array([[30, 10], [0, 40]])
    pairs = sum(comb(int(c), 2) for c in counts.ravel())
    rows, columns = (sum(comb(int(c), 2) for c in counts.sum(a)) for a in (1, 0))
    chance = rows * columns / comb(80, 2)
    ari = (pairs - chance) / ((rows + columns) / 2 - chance)
    p = counts / 80
    outer = p.sum(1, keepdims=True) * p.sum(0)
    mi = np.sum(p[p > 0] * np.log(p[p > 0] / outer[p > 0]))
    entropies = [-(q * np.log(q)).sum() for q in (p.sum(0), p.sum(1))]
    found = cluster_agreement(codes, labels)
    assert found.ari == pytest.approx(ari)
    assert found.nmi == pytest.approx(mi / np.mean(entropies))


def test_refusals():
    codes, labels = blobs()
    with pytest.raises(UnknownNameError, match="k-means"):
        cluster_agreement(codes, labels, "kmeans")
    with pytest.raises(DataError, match="two classes"):
        cluster_agreement(codes, np.zeros(150))
    with pytest.raises(DataError, match="nothing to cluster"):
        cluster_agreement(np.ones((150, 2)), labels)
