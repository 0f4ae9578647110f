"""Ladders against closed forms: products of Gaussians, and the joint Gaussian of a linear chain."""

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from isthmus.distributions import DiagonalNormal, LadderNormal
from isthmus.distributions.ladder import product
from isthmus.errors import OptionError
from isthmus.posteriors import LadderPosterior
from isthmus.priors import LadderPrior

pytestmark = pytest.mark.usefixtures("float64")
WIDTHS = (3, 2, 1)


class Chain:
    """z_3 ~ N(m, s²), z_l = A_l z_{l+1} + a_l + s_l e: linear, so that all is jointly Gaussian."""

    def __init__(self, maps=None, offsets=None, scales=None):
        self.maps = maps or [torch.randn(3, 2), torch.randn(2, 1)]
        self.offsets = offsets or [torch.randn(3), torch.randn(2), torch.zeros(1)]
        self.scales = scales or [0.5 + torch.rand(3), 0.5 + torch.rand(2), torch.ones(1)]

    def descent(self, level):
        def below(above):
            loc = above @ self.maps[level].T + self.offsets[level]
            return loc, self.scales[level].expand_as(loc)

        return below

    @property
    def ladder(self):
        top = DiagonalNormal(self.offsets[2], self.scales[2])
        return LadderNormal(WIDTHS, top, [self.descent(0), self.descent(1)])

    @property
    def joint(self):
        """The same as one Gaussian of z = M e + m, with e standard, of (z_1, z_2, z_3)."""
        own = torch.diag(torch.cat(self.scales)).split(WIDTHS)
        third = own[2]
        second = self.maps[1] @ third + own[1]
        first = self.maps[0] @ second + own[0]
        middle = self.maps[1] @ self.offsets[2] + self.offsets[1]
        means = self.maps[0] @ middle + self.offsets[0], middle, self.offsets[2]
        whole = torch.cat([first, second, third])
        return MultivariateNormal(torch.cat(means), whole @ whole.T)

    def given(self, loc, scale):
        """The chain whose conditionals are these times Gaussians of levels (6,): linear as well."""
        seen = list(zip(loc.split(WIDTHS), scale.split(WIDTHS), self.scales, strict=True))
        share = [noise**2 / (noise**2 + own**2) for _, noise, own in seen]
        said = [(1.0 - part) * mean for part, (mean, _, _) in zip(share, seen, strict=True)]
        parts = zip(share, self.offsets, said, strict=True)
        return Chain(
            [part[:, None] * gain for part, gain in zip(share, self.maps, strict=False)],
            [part * offset + mean for part, offset, mean in parts],
            [own * part.sqrt() for part, own in zip(share, self.scales, strict=True)],
        )


def seen(batch=4):
    return DiagonalNormal(torch.randn(batch, 6), 0.3 + torch.rand(batch, 6))


def test_the_product_of_two_gaussians_is_the_normalised_one():
    loc, other = torch.randn(2, 5)
    scale, spread = 0.2 + torch.rand(2, 5)
    merged = Normal(*product(loc, scale, other, spread))
    line = torch.linspace(-12.0, 12.0, 40_001)[:, None]
    weights = (Normal(loc, scale).log_prob(line) + Normal(other, spread).log_prob(line)).exp()
    density = weights / torch.trapezoid(weights, line, dim=0)
    torch.testing.assert_close(merged.log_prob(line).exp(), density, atol=1e-10, rtol=1e-8)


def test_a_linear_chain_is_the_joint_gaussian():
    chain = Chain()
    z = 2.0 * torch.randn(3, 4, 6)
    torch.testing.assert_close(chain.ladder.log_prob(z), chain.joint.log_prob(z))
    torch.testing.assert_close(chain.ladder.mean, chain.joint.mean)
    drawn = chain.ladder.sample((60_000,))
    torch.testing.assert_close(drawn.mean(0), chain.joint.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), chain.joint.covariance_matrix, atol=0.15, rtol=0)


def test_a_seen_level_is_the_prior_s_conditional_times_the_datum_s_gaussian():
    """Level by level along lines, by quadrature of the product of the two."""
    p, said = Chain().ladder, seen(1)
    q, z = p.given(said), torch.randn(1, 6)
    line = torch.linspace(-15.0, 15.0, 20_001)
    for level, columns in enumerate((range(3), range(3, 5), range(5, 6))):
        expected = p.conditionals(z)[level]
        found = q.conditionals(z)[level]
        for place, column in enumerate(columns):
            weights = (
                Normal(said.loc[0, column], said.scale[0, column]).log_prob(line)
                + Normal(expected.loc.flatten()[place], expected.scale.flatten()[place]).log_prob(
                    line
                )
            ).exp()
            mass = torch.trapezoid(weights, line)
            mean = torch.trapezoid(weights * line, line) / mass
            variance = torch.trapezoid(weights * (line - mean) ** 2, line) / mass
            torch.testing.assert_close(found.loc[0, place], mean)
            torch.testing.assert_close(found.scale[0, place], variance.sqrt())


def test_a_seen_chain_integrates_to_one_and_draws_what_it_says():
    """By importance weights from a broad Gaussian, and by the moments of its own draws."""
    q = Chain().ladder.given(seen(2))
    broad = MultivariateNormal(q.mean, 1.5 * torch.eye(6))
    z = broad.sample((200_000,))
    weights = (q.log_prob(z) - broad.log_prob(z)).exp()
    error = weights.std(0) / len(z) ** 0.5
    assert ((weights.mean(0) - 1.0).abs() < 4.0 * error).all()
    assert (error < 0.02).all()
    drawn = q.sample((200_000,))
    torch.testing.assert_close(drawn.mean(0), (weights[..., None] * z).mean(0), atol=0.04, rtol=0)
    # Linear descents with fixed scales: the mean by descent is the mean.
    torch.testing.assert_close(drawn.mean(0), q.mean, atol=0.01, rtol=0)


def test_a_seen_linear_chain_is_the_joint_gaussian_whose_kl_is_known():
    """Gains and noise of each level written out; torch's KL of the two joint Gaussians."""
    chain, said = Chain(), seen(1)
    expected, q = chain.given(said.loc[0], said.scale[0]).joint, chain.ladder.given(said)
    z = q.sample((60_000,))
    torch.testing.assert_close(q.log_prob(z)[:, 0], expected.log_prob(z[:, 0]))
    torch.testing.assert_close(z[:, 0].mean(0), expected.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(q.mean[0], expected.mean)
    rates = q.level_rates(chain.ladder, z).sum(-1)
    error = rates.std(0) / len(z) ** 0.5
    assert ((rates.mean(0) - kl_divergence(expected, chain.joint)).abs() < 4.0 * error).all()
    assert (error < 0.05).all()


def test_rates_by_level_are_those_of_monte_carlo_and_add_up_to_the_whole():
    p = Chain().ladder
    q = p.given(seen())
    z = q.sample((40_000,))
    found = q.level_rates(p, z)
    pairs = zip(q.conditionals(z), p.conditionals(z), z.split(WIDTHS, -1), strict=True)
    for level, (ours, theirs, at) in enumerate(pairs):
        sampled = ours.log_prob(at) - theirs.log_prob(at)
        error = (sampled - found[..., level]).std(0) / len(z) ** 0.5
        gap = (sampled.mean(0) - found[..., level].mean(0)).abs()
        assert (gap < 4.0 * error + 1e-12).all()
    whole = q.log_prob(z) - p.log_prob(z)
    error = whole.std(0) / len(z) ** 0.5
    assert ((found.sum(-1).mean(0) - whole.mean(0)).abs() < 4.0 * error).all()


def test_networks_of_the_prior_and_the_posterior_make_one_exact_density():
    posterior, prior = LadderPosterior(7, (9,), widths=(4, 2)), LadderPrior((6,), widths=(4, 2))
    h = torch.randn(3, 7)
    q = posterior.meet(posterior(h), prior())
    z = q.rsample((5,))
    top, upper = z[..., 4:], posterior(h)
    loc, log_scale = prior.descents[0](top).chunk(2, -1)
    lower = Normal(*product(upper.loc[:, :4], upper.scale[:, :4], loc, log_scale.tanh().exp()))
    highest = Normal(*product(upper.loc[:, 4:], upper.scale[:, 4:], torch.zeros(2), torch.ones(2)))
    expected = lower.log_prob(z[..., :4]).sum(-1) + highest.log_prob(top).sum(-1)
    torch.testing.assert_close(q.log_prob(z), expected)
    assert posterior.latent_shape == (6,)
    assert posterior.space == prior.space == "ladder of 4 + 2"


def test_without_widths_there_are_two_levels():
    assert LadderPosterior(7, (9,)).widths == LadderPrior((9,)).widths == (6, 3)


@pytest.mark.parametrize(
    ("shape", "widths", "message"),
    [((3,), (3,), "two levels or more"), ((1,), None, "latent_dim of 2"), ((7,), (4, 2), "same")],
)
def test_levels_that_cannot_be_are_refused(shape, widths, message):
    with pytest.raises(OptionError, match=message):
        LadderPrior(shape, widths)
