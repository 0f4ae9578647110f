"""Annealed importance sampling where log p(x) is known, and the sandwich around it."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from isthmus.annealing import Annealing, annealed_log_likelihood, bdmc
from isthmus.data import Scaling
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError, UnknownNameError, UnsupportedError
from isthmus.leapfrog import Path, Steps, temperatures, tuned
from isthmus.likelihoods import BernoulliLikelihood, GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.posteriors import POSTERIORS, Deterministic, DiagonalGaussian
from isthmus.priors import StandardNormal
from isthmus.priors.latent_model import LatentModelPrior

pytestmark = pytest.mark.usefixtures("float64")
D, Z, NOISE = 4, 2, 0.5


def compose(likelihood, posterior=DiagonalGaussian, hidden=(), scaling=None):
    encoder = MLPEncoder((D,), hidden)
    return LatentModel(
        encoder,
        posterior(encoder.features, (Z,)),
        StandardNormal((Z,)),
        MLPDecoder((Z,), likelihood.parameter_shape(), hidden),
        likelihood,
        scaling,
    )


def small(width):
    """A latent model of codes."""
    encoder, likelihood = MLPEncoder((width,), ()), GaussianLikelihood((width,), scale=NOISE)
    return LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, (1,)),
        StandardNormal((1,)),
        MLPDecoder((1,), likelihood.parameter_shape(), ()),
        likelihood,
    )


def linear(scaling=None):
    """x = W z + b + noise under an encoder that knows nothing, and p(u)."""
    model = compose(GaussianLikelihood((D,), scale=NOISE), scaling=scaling)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(3)
        w, b = torch.randn(D, Z, generator=generator), torch.randn(D, generator=generator)
        model.decoder.layers[1].weight.copy_(w)
        model.decoder.layers[1].bias.copy_(b)
        model.posterior.head.weight.zero_()
        model.posterior.head.bias.copy_(torch.tensor([0.0, 0.0, -1.0, 0.5]))
    return model, MultivariateNormal(b, w @ w.T + NOISE**2 * torch.eye(D))


@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_annealing_meets_the_known_marginal_within_its_own_error(start):
    model, marginal = linear()
    x = marginal.sample((12,))
    how = Annealing(chains=64, steps=40, leapfrogs=4, start=start)
    found = annealed_log_likelihood(model, x, how)
    deviation = (found.log_likelihood - marginal.log_prob(x)) / found.error
    assert deviation.abs().max() < 4.0
    assert deviation.mean().abs() < 2.0 / math.sqrt(len(x)) * 2.0
    assert found.error.max() < 0.25
    # Importance sampling from the same posterior with as many passes of the decoder is far behind.
    plain = model.importance(x, 64)
    assert found.effective.mean() > 2.0 * plain.effective.mean()


def test_one_step_is_importance_sampling():
    model, marginal = linear()
    x = marginal.sample((5,))
    torch.manual_seed(1)
    annealed = annealed_log_likelihood(model, x, Annealing(chains=30, steps=1))
    torch.manual_seed(1)
    plain = model.importance(x, 30)
    for ours, theirs in zip(annealed, plain, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_densities_are_in_the_data_s_own_units():
    scaling = Scaling((D,), "column")
    scaling.shift.copy_(torch.tensor([1.0, -2.0, 0.0, 5.0]))
    scaling.scale.copy_(torch.tensor([10.0, 0.1, 3.0, 1.0]))
    model, marginal = linear(scaling)
    u = marginal.sample((6,))
    how = Annealing(chains=64, steps=40)
    truth = marginal.log_prob(u) - scaling.scale.log().sum()
    found = annealed_log_likelihood(model, scaling.inverse(u), how)
    assert ((found.log_likelihood - truth) / found.error).abs().max() < 4.0
    sides = bdmc(model, 40, how)
    truth = marginal.log_prob(scaling(sides.x)) - scaling.scale.log().sum()
    assert (sides.lower - truth).mean() == pytest.approx(0.0, abs=0.05)
    assert (sides.upper - truth).mean() == pytest.approx(0.0, abs=0.05)


def test_the_sandwich_holds_the_truth_and_closes_with_more_steps():
    model, marginal = linear()
    gaps = []
    for steps in (2, 8, 60):
        sides = bdmc(model, 300, Annealing(chains=4, steps=steps, start="prior"))
        truth = marginal.log_prob(sides.x)
        for side, sign in ((sides.lower, 1.0), (sides.upper, -1.0)):
            behind = sign * (truth - side)
            assert behind.mean() > -3.0 * behind.std() / math.sqrt(len(truth))
        gaps.append(float(sides.gap.mean()))
    assert gaps[0] > 2.0 * gaps[1] > 4.0 * gaps[2] > 0.0
    assert gaps[2] < 0.25


def test_a_decoder_that_bends_agrees_with_quadrature():
    torch.manual_seed(2)
    model = compose(BernoulliLikelihood((D,)), hidden=(8,))
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(3.0)
    x = torch.randint(0, 2, (6, D)).double()
    side = torch.linspace(-7, 7, 281)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        log_joint = model.log_joint(x, grid[:, None].expand(-1, 6, -1))
    truth = log_joint.logsumexp(0) + 2 * math.log(14 / 280)
    found = annealed_log_likelihood(model, x, Annealing(chains=64, steps=60))
    assert ((found.log_likelihood - truth).abs() < 4.0 * found.error + 1e-3).all()


def test_a_transition_keeps_the_density_at_its_temperature():
    """Draws of the exact mixture of two normals, moved many times, keep its covariance."""
    start = DiagonalNormal(torch.zeros(3, Z), torch.ones(()))
    precision = torch.tensor([[4.0, 1.5], [1.5, 2.0]])
    target = MultivariateNormal(torch.ones(Z), precision_matrix=precision)
    path = Path(start, target.log_prob, 3, torch.ones(3, Z), 0.6 * torch.ones(3, Z))
    steps = Steps(torch.tensor([0.0, 0.3, 1.0]), torch.full((1, 3), 0.9), 3)
    mixed = 0.7 * torch.eye(Z) + 0.3 * precision
    mean = torch.linalg.solve(mixed, 0.3 * precision @ torch.ones(Z))
    state = path.at(MultivariateNormal(mean, precision_matrix=mixed).sample((4000, 3)))
    for _ in range(5):
        state, likely = path.moved(state, steps, 1)
    z = state.z.flatten(0, 1)
    assert 0.5 < likely.mean() < 0.999
    torch.testing.assert_close(z.mean(0), mean, atol=0.03, rtol=0)
    torch.testing.assert_close(z.T.cov(), torch.linalg.inv(mixed), atol=0.03, rtol=0)
    torch.testing.assert_close(state.last, target.log_prob(state.z))


def test_steps_find_the_acceptance_that_they_aim_at_for_each_datum():
    start = DiagonalNormal(torch.zeros(2, Z), torch.ones(()))
    widths = torch.tensor([1.0, 0.02]).unsqueeze(1)

    def target(z):
        return -0.5 * (z / widths).square().sum(-1)

    path = Path(start, target, 2, torch.ones(2, Z), torch.ones(2, Z))
    steps = tuned(path, temperatures(300, widths), 4, 5)
    assert steps.lengths.shape == (299, 2)
    ratio = steps.lengths[-30:].mean(0)
    assert ratio[0] > 10.0 * ratio[1]


def test_temperatures_are_exactly_as_many_as_asked_for():
    betas = temperatures(7, torch.zeros(()))
    assert len(betas) == 8
    assert (betas[0], betas[-1]) == (0.0, 1.0)
    assert (betas.diff() > 0).all()
    torch.testing.assert_close(betas + betas.flip(0), torch.ones(8))


def test_memory_is_bounded_and_chunks_change_no_figure_beyond_their_noise(monkeypatch):
    model, marginal = linear()
    x = marginal.sample((5,))
    seen = []
    whole = LatentModel.generate

    def watched(self, z, condition=None):
        seen.append(z.shape[:2].numel() * D)
        return whole(self, z, condition)

    monkeypatch.setattr(LatentModel, "generate", watched)
    monkeypatch.setattr("isthmus.annealing.CHUNK_ELEMENTS", 12 * D)
    found = annealed_log_likelihood(model, x, Annealing(chains=30, steps=20))
    assert max(seen) <= 12 * D
    assert ((found.log_likelihood - marginal.log_prob(x)).abs() < 4.0 * found.error).all()


def test_what_cannot_be_annealed_says_why():
    point = compose(GaussianLikelihood((D,), scale=NOISE), Deterministic)
    with pytest.raises(UnsupportedError, match="importance sampling"):
        annealed_log_likelihood(point, torch.zeros(2, D))
    moved = compose(
        GaussianLikelihood((D,), scale=NOISE), POSTERIORS["hamiltonian"].factory, hidden=(4,)
    )
    with pytest.raises(UnsupportedError, match="start='prior'"):
        annealed_log_likelihood(moved, torch.zeros(2, D))
    annealed_log_likelihood(moved, torch.zeros(2, D), Annealing(steps=2, start="prior"))
    layered = compose(GaussianLikelihood((D,), scale=NOISE))
    layered.prior = LatentModelPrior((Z,), small(Z))
    with pytest.raises(UnsupportedError, match="is an estimate"):
        bdmc(layered, 2)
    with pytest.raises(OptionError, match="chains=0"):
        Annealing(chains=0)
    with pytest.raises(UnknownNameError, match="posterior"):
        Annealing(start="posteriors")
