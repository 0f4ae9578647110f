"""Flow priors against autograd's Jacobian, quadrature and zuko itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Normal

from isthmus.errors import OptionError, UnknownNameError
from isthmus.priors import FLOWS, FlowPrior

pytestmark = pytest.mark.usefixtures("float64")


def far_from_the_identity(prior: FlowPrior) -> FlowPrior:
    with torch.no_grad():
        for p in prior.parameters():
            p.add_(0.15 * torch.randn_like(p))
    return prior


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("kind", [entry.name for entry in FLOWS])
def test_the_density_is_that_of_the_change_of_variables(kind, width):
    prior = far_from_the_identity(FlowPrior((width,), kind))
    z = torch.randn(2, 2, width)
    p, transform = prior(), prior.flow.transform()
    found = p.log_prob(z)
    for s in range(2):
        for b in range(2):
            jacobian = torch.autograd.functional.jacobian(transform, z[s, b])
            base = Normal(0.0, 1.0).log_prob(transform(z[s, b])).sum()
            expected = base + torch.linalg.slogdet(jacobian).logabsdet
            torch.testing.assert_close(found[s, b], expected)
    torch.testing.assert_close(found, prior.flow().log_prob(z))


@pytest.mark.parametrize("kind", [entry.name for entry in FLOWS])
def test_draws_follow_the_density(kind):
    prior = far_from_the_identity(FlowPrior((2,), kind))
    p = prior()
    axis = torch.linspace(-10, 10, 321)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    with torch.no_grad():
        density = p.log_prob(grid).exp()
    cell = (axis[1] - axis[0]) ** 2
    assert density.sum() * cell == pytest.approx(1.0, abs=0.01)
    drawn = p.sample((8000,))
    mean = (density[..., None] * grid).sum((0, 1)) * cell
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.06, rtol=0)
    marginal = (density.sum(1) * (axis[1] - axis[0])).cumsum(0) * (axis[1] - axis[0])
    middle = (axis + 0.5 * (axis[1] - axis[0])).numpy()

    def cdf(t):
        return np.interp(t, middle, marginal.numpy())

    assert stats.kstest(drawn[:1500, 0].numpy(), cdf).pvalue > 1e-3


def test_autocast_leaves_the_density_alone():
    prior = far_from_the_identity(FlowPrior((3,)).float())
    z = torch.randn(2, 4, 3).float()
    expected = prior().log_prob(z)
    with torch.autocast("cpu", torch.bfloat16):
        assert prior().log_prob(z).equal(expected)


def test_what_it_cannot_be():
    with pytest.raises(OptionError, match="one axis"):
        FlowPrior((2, 2))
    with pytest.raises(UnknownNameError, match="spline"):
        FlowPrior((2,), kind="splin")
