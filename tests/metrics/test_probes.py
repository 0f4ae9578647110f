import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from isthmus.errors import DataError, OptionError
from isthmus.metrics.probes import knn_probe, linear_probe


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x[:800], y[:800], x[800:1200], y[800:1200]


def test_linear_probe_reads_what_is_linear():
    random = np.random.default_rng(0)
    codes = random.normal(size=(600, 2)) * [1, 1000]
    labels = np.where(codes @ [1, 0.001] > 0, "a", "b")
    assert linear_probe(codes[:400], labels[:400], codes[400:], labels[400:], seed=0) > 0.95


def test_linear_probe_reaches_the_bayes_rate():
    # Two unit Gaussians at distance 2: the best accuracy is Phi(1) = .8413.
    random = np.random.default_rng(0)
    labels = random.integers(2, size=6000)
    codes = random.normal(size=(6000, 1)) + 2 * labels[:, None]
    accuracy = linear_probe(codes[:1000], labels[:1000], codes[1000:], labels[1000:], seed=0)
    assert accuracy == pytest.approx(0.8413, abs=0.015)


def test_a_linear_probe_cannot_read_exclusive_or_and_neighbours_can():
    codes = np.random.default_rng(0).uniform(-1, 1, size=(1500, 2))
    labels = codes[:, 0] * codes[:, 1] > 0
    arguments = codes[:1000], labels[:1000], codes[1000:], labels[1000:]
    assert linear_probe(*arguments, seed=0) < 0.6
    assert knn_probe(*arguments) > 0.9


def test_codes_that_know_nothing_score_the_share_of_the_commonest_class(digits):
    _, y, _, y_test = digits
    accuracy = linear_probe(np.zeros((800, 2)), y, np.zeros((400, 2)), y_test, seed=0)
    assert accuracy == np.mean(y_test == np.bincount(y).argmax())


def test_knn_probe_is_a_vote_of_the_nearest(digits):
    x, y, x_test, y_test = digits
    nearest = NearestNeighbors(n_neighbors=3).fit(x).kneighbors(x_test, return_distance=False)
    votes = [np.bincount(y[row]).argmax() for row in nearest]
    assert knn_probe(*digits, k=3) == pytest.approx(np.mean(votes == y_test))
    assert knn_probe(x, y, x, y, k=1) == 1


def test_separable_codes_are_read_without_a_warning(digits):
    assert linear_probe(*digits, seed=0) > 0.85
    assert linear_probe(digits[0], digits[1], digits[0], digits[1], seed=0) == 1


def test_more_neighbours_than_codes_are_all_codes():
    assert knn_probe([[0.0], [1.0], [1.1]], [0, 1, 1], [[0.0]], [1], k=5) == 1


def test_what_cannot_be_probed_is_refused():
    codes = np.zeros((4, 1))
    with pytest.raises(DataError, match="at least two classes"):
        linear_probe(codes, [1] * 4, codes, [1] * 4, seed=0)
    with pytest.raises(DataError, match="codes and labels have 4 and 3 rows"):
        knn_probe(codes, [1] * 3, codes, [1] * 4)
    with pytest.raises(OptionError, match="neighbours is 0"):
        knn_probe(codes, [1] * 4, codes, [1] * 4, k=0)
