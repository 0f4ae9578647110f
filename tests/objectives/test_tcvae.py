"""The rate's three parts against naive loops, exact sums and the paper's weights."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from isthmus.errors import OptionError
from isthmus.objectives import BetaTcvae
from isthmus.objectives.tcvae import decompose, log_importance
from isthmus.recipes import Axes
from isthmus.registry import pick

pytestmark = pytest.mark.usefixtures("float64")
N = 40


@pytest.fixture
def evidence(build):
    torch.manual_seed(2)
    with torch.no_grad():
        return build().evidence(torch.randn(7, 5), samples=3)


def papers_weights(batch, length, singled):
    """Equation S6 of the paper: row i singles out the datum `singled` places on."""
    weights = np.full((batch, batch), 1 / (batch - 1))
    for i in range(batch):
        weights[i, i] = 1 / length
        other = (i + singled) % batch
        weights[i, other] = (length - batch + 1) / (length * (batch - 1))
    return weights


def test_the_weights_are_the_paper_s_averaged_over_which_datum_is_singled_out():
    drawn = [papers_weights(7, N, k) for k in range(1, 7)]
    for weights in drawn:
        np.testing.assert_allclose(weights.sum(1), 1.0)
    found = log_importance(7, N, torch.empty(0)).exp().numpy()
    np.testing.assert_allclose(found, np.mean(drawn, 0), rtol=1e-12)


def test_a_batch_of_all_data_gives_the_aggregate_itself():
    torch.testing.assert_close(
        log_importance(7, 7, torch.empty(0)).exp(), torch.full((7, 7), 1 / 7.0)
    )
    assert log_importance(1, 7, torch.empty(0)).item() == 0.0


def test_the_parts_are_those_of_naive_loops(evidence):
    loc, scale = evidence.q.mean.numpy(), evidence.q.stddev.numpy()
    z = evidence.z.numpy()
    weights = log_importance(7, N, torch.empty(0)).numpy()
    found = decompose(evidence, N)
    for s in range(3):
        for i in range(7):
            by_dimension = norm.logpdf(z[s, i], loc, scale)  # (7, 2), of every q(.|x_j)
            log_q = logsumexp(by_dimension.sum(1) + weights[i])
            log_marginals = sum(logsumexp(by_dimension[:, d] + weights[i]) for d in range(2))
            log_p = norm.logpdf(z[s, i]).sum()
            own = by_dimension[i].sum()
            expected = own - log_q, log_q - log_marginals, log_marginals - log_p
            for part, value in zip(found, expected, strict=True):
                assert part[s, i].item() == pytest.approx(value, abs=1e-10)


def test_the_parts_sum_to_the_monte_carlo_rate(evidence):
    rate = evidence.log_posterior - evidence.log_prior
    torch.testing.assert_close(sum(decompose(evidence, N)), rate)
    loss = BetaTcvae(N, 1.0, 1.0, 1.0, samples=3)(evidence)
    torch.testing.assert_close(loss.total, -evidence.log_weights.mean())


def test_each_part_has_its_weight(evidence):
    loss = BetaTcvae(N, 0.5, 6.0, 2.0, samples=3)(evidence)
    information, correlation, dimensions = (part.mean() for part in decompose(evidence, N))
    expected = evidence.distortion.mean() + 0.5 * information + 6 * correlation + 2 * dimensions
    torch.testing.assert_close(loss.total, expected)


def test_of_codes_without_noise_of_their_company_it_finds_the_known_total_correlation(linear):
    """q(z|x_i) = N(m_i, s²) with m correlated: q(z) is nearly a Gaussian, whose TC is known."""
    torch.manual_seed(0)
    factor = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    mean = torch.randn(1500, 2) @ factor.T
    from isthmus.distributions import DiagonalNormal

    q = DiagonalNormal(mean, torch.full((1500, 2), 0.3))
    evidence = linear(q, 1, torch.zeros(4, 2), torch.zeros(4))
    covariance = factor @ factor.T + 0.09 * torch.eye(2)
    rho = (covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt()).item()
    found = decompose(evidence, 1500).total_correlation.mean().item()
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.05)


def test_a_posterior_that_cannot_be_taken_apart_is_refused(build):
    model = build()
    model.posterior.factorised = False
    with pytest.raises(OptionError, match=r"does not factorise: use the posterior 'diagonal'"):
        BetaTcvae(N).check(model.posterior, model.prior, model.likelihood)
    with pytest.raises(OptionError, match="number of training data"):
        BetaTcvae(0)


def test_the_number_of_data_comes_from_the_data():
    from isthmus.data import DataSpec
    from isthmus.recipes import assemble

    spec = DataSpec("table", (5,), "real", 321)
    built = assemble(spec, Axes(latent_dim=2, hidden=(4,)), pick("beta-tcvae"))
    assert built.objective.length == 321
