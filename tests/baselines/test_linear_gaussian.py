import numpy as np
import pytest
from scipy import integrate, stats

from isthmus.baselines.linear_gaussian import LinearGaussian


def example(z_dim=3, x_dim=5):
    random = np.random.default_rng(0)
    return LinearGaussian(
        mean=random.normal(size=x_dim),
        loading=random.normal(size=(x_dim, z_dim)),
        noise=random.uniform(0.1, 2, size=x_dim),
    )


@pytest.fixture
def model():
    return example()


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(11, 5)) * 3


def test_log_likelihood_is_the_marginal_gaussians(model, x):
    marginal = stats.multivariate_normal(
        model.mean, model.loading @ model.loading.T + np.diag(model.noise)
    )
    np.testing.assert_allclose(model.log_likelihood(x), marginal.logpdf(x), rtol=1e-12)


def test_posterior_is_that_of_the_joint_gaussian(model, x):
    # Condition the joint Gaussian of (z, x) on x.
    gain = model.loading.T @ np.linalg.inv(model.loading @ model.loading.T + np.diag(model.noise))
    np.testing.assert_allclose(model.posterior_mean(x), (x - model.mean) @ gain.T, rtol=1e-10)
    np.testing.assert_allclose(model.covariance, np.eye(3) - gain @ model.loading, atol=1e-12)


def test_rate_and_distortion_by_quadrature():
    model, x = example(z_dim=1, x_dim=2), np.array([[0.7, -1.1]])
    q = stats.norm(model.posterior_mean(x)[0, 0], np.sqrt(model.covariance[0, 0]))

    def likelihood(z):
        return (
            stats.norm(model.mean + model.loading[:, 0] * z, np.sqrt(model.noise))
            .logpdf(x[0])
            .sum()
        )

    low, high = q.mean() - 12 * q.std(), q.mean() + 12 * q.std()
    rate = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), low, high)[0]
    distortion = integrate.quad(lambda z: -q.pdf(z) * likelihood(z), low, high)[0]
    assert model.rate(x)[0] == pytest.approx(rate, rel=1e-8)
    assert model.distortion(x)[0] == pytest.approx(distortion, rel=1e-8)


def test_the_bound_is_tight(model, x):
    np.testing.assert_allclose(
        -(model.rate(x) + model.distortion(x)), model.log_likelihood(x), rtol=1e-12
    )


def test_samples_have_the_marginals_moments(model):
    draws = model.sample(100_000, seed=0)
    np.testing.assert_allclose(draws.mean(0), model.mean, atol=0.03)
    covariance = model.loading @ model.loading.T + np.diag(model.noise)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1)


def test_small_noise_loses_no_digits(x):
    # Data on the model's plane, noise of 1e-10: the density is known to full relative precision.
    model = LinearGaussian(np.zeros(2), np.array([[1.0], [0.0]]), np.full(2, 1e-10))
    expected = stats.norm.logpdf(0.5, scale=np.sqrt(1 + 1e-10)) + stats.norm.logpdf(0, scale=1e-5)
    assert model.log_likelihood(np.array([[0.5, 0.0]]))[0] == pytest.approx(expected, rel=1e-9)
