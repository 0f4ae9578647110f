import math

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from isthmus.errors import DataError
from isthmus.metrics.estimates import mean_and_error
from isthmus.metrics.information import active_units, bits, bits_per_dim, elbo_surgery


def test_bits():
    assert bits(math.log(8)) == pytest.approx(3)
    np.testing.assert_allclose(bits(np.log([2.0, 0.5])), [1, -1])


def test_active_units_by_the_variance_of_the_means():
    # A fair sign times s has variance s².
    signs = np.tile([1.0, -1.0], 50)[:, None]
    means = signs * np.array([1.0, 0.11, 0.09, 0.0]) + 5
    np.testing.assert_array_equal(active_units(means), [True, True, False, False])
    np.testing.assert_array_equal(active_units(means, threshold=0.5), [True, False, False, False])


def test_active_units_keep_the_shape_of_the_code():
    means = np.random.default_rng(0).normal(size=(50, 2, 3))
    means[:, 1, 2] = 0
    assert active_units(means).tolist() == [[True] * 3, [True, True, False]]


def test_active_units_of_no_data_are_refused():
    with pytest.raises(DataError, match=r"\(0, 3\)"):
        active_units(np.zeros((0, 3)))


def test_bits_per_dimension_of_spread_levels_are_their_entropy():
    random = np.random.default_rng(0)
    p = np.array([0.4, 0.05, 0.1, 0.05, 0.2, 0.1, 0.05, 0.05])
    levels = random.choice(8, p=p, size=(50_000, 3))
    u = (levels + random.random(levels.shape)) / 8
    # The true density of u is flat over each cell of width 1/8.
    log_density = np.log(8 * p[np.floor(u * 8).astype(int)]).sum(1)
    entropy = -(p * np.log2(p)).sum()
    found = bits_per_dim(log_density.mean(), 3, math.log(8))
    error = log_density.std() / math.sqrt(50_000) / (3 * math.log(2))
    assert found == pytest.approx(entropy, abs=4 * error)
    # A density of x itself in other units: those of a normal in inches and in feet.
    feet = random.normal(size=2000) * 0.3 + 5
    in_feet = norm(5, 0.3).logpdf(feet).mean()
    in_inches = norm(60, 3.6).logpdf(12 * feet).mean()
    assert bits_per_dim(in_feet, 1, math.log(12)) == pytest.approx(bits_per_dim(in_inches, 1))
    assert bits_per_dim(-6 * math.log(2), 3) == pytest.approx(2)


def gaussian_codes(n, gain, spread, seed=0):
    """Codes z ~ N(A x, diag(s²)) of x ~ N(0, I), and what `elbo_surgery` asks of them."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(n, gain.shape[1])) @ gain.T
    z = means + spread * random.normal(size=means.shape)

    def conditional(rows):
        return norm(means[None], spread).logpdf(z[rows, None])

    return means, z, conditional, norm.logpdf(z)


def test_the_parts_of_the_rate_are_those_of_a_linear_gaussian_code():
    gain = np.array([[0.9, 0.1, 0.0], [0.6, 0.7, 0.0], [0.0, 0.1, 0.02]])
    spread = np.array([0.5, 0.7, 1.0])
    n = 3000
    found = elbo_surgery(*gaussian_codes(n, gain, spread)[2:], 500)
    covariance = gain @ gain.T + np.diag(spread**2)
    logdet = np.linalg.slogdet(covariance)[1]
    information = 0.5 * (logdet - 2 * np.log(spread).sum())
    marginal = 0.5 * (np.trace(covariance) - 3 - logdet)
    variances = covariance.diagonal()
    apart = 0.5 * (variances - 1 - np.log(variances))
    correlation = 0.5 * (np.log(variances).sum() - logdet)
    for parts, truth in (
        (found.information, information),
        (found.upper, information),
        (found.marginal, marginal),
        (found.rate, information + marginal),
        (found.total_correlation, correlation),
    ):
        mean, error = mean_and_error(parts)
        # The aggregate is of these N means: another source of error of the same size.
        assert abs(mean - truth) < 4 * error + 0.01
    np.testing.assert_allclose(found.per_dimension.mean(0), apart, atol=0.05)
    assert found.information.mean() < found.upper.mean()


def test_the_parts_are_those_of_naive_loops_whatever_the_chunks():
    means, z, conditional, log_prior = gaussian_codes(
        7, np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([0.3, 0.4])
    )
    found = elbo_surgery(conditional, log_prior, 3)
    for i in range(7):
        each = [multivariate_normal(m, np.diag([0.09, 0.16])).logpdf(z[i]) for m in means]
        q = logsumexp(each) - math.log(7)
        rest = logsumexp(np.delete(each, i)) - math.log(6)
        marginals = [
            logsumexp([norm(m[j], s).logpdf(z[i, j]) for m in means]) - math.log(7)
            for j, s in ((0, 0.3), (1, 0.4))
        ]
        assert found.information[i] == pytest.approx(each[i] - q)
        assert found.upper[i] == pytest.approx(each[i] - rest)
        assert found.total_correlation[i] == pytest.approx(q - sum(marginals))
        np.testing.assert_allclose(found.per_dimension[i], marginals - log_prior[i])
    np.testing.assert_allclose(found.rate, found.information + found.marginal)
    np.testing.assert_allclose(found.marginal, found.total_correlation + found.per_dimension.sum(1))


def test_codes_that_never_overlap_carry_the_index_and_no_more():
    far = np.arange(50.0)[:, None] * 1000

    def conditional(rows):
        return norm(far[None], 1.0).logpdf(far[rows, None])

    found = elbo_surgery(conditional, np.zeros((50, 1)), 16)
    np.testing.assert_allclose(found.information, math.log(50))
    assert (found.upper > 1000).all()


def test_codes_that_ignore_the_data_carry_nothing():
    _, _, conditional, log_prior = gaussian_codes(40, np.zeros((2, 2)), np.ones(2))
    found = elbo_surgery(conditional, log_prior, 40)
    for part in found:
        np.testing.assert_allclose(part, 0.0, atol=1e-12)


def test_the_rate_of_no_data_and_the_bound_of_one():
    with pytest.raises(DataError, match="no data"):
        elbo_surgery(lambda rows: np.zeros((0, 0, 1)), np.zeros((0, 1)), 8)
    _, _, conditional, log_prior = gaussian_codes(1, np.eye(2), np.ones(2))
    alone = elbo_surgery(conditional, log_prior, 8)
    assert alone.information == 0.0
    assert math.isnan(alone.upper[0])
