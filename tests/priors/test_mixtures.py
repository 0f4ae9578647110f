"""Mixture priors against torch's mixtures, naive loops and quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from sklearn.metrics import normalized_mutual_info_score
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)

from isthmus.data import Batch, Scaling, load
from isthmus.data.binarized import Binarized
from isthmus.distributions import DiagonalNormal, EqualMixture, NormalMixture
from isthmus.errors import OptionError
from isthmus.fitting import fit
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import ConditionedEncoder, MLPDecoder, MLPEncoder
from isthmus.objectives import Vade
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import ExemplarPrior, MixturePrior, Prior, StandardNormal, VampPrior
from isthmus.training.densities import starter

pytestmark = pytest.mark.usefixtures("float64")


def mixture(components=5, shape=(3,)):
    logits = torch.randn(components)
    loc, scale = 2.0 * torch.randn(components, *shape), 0.05 + torch.rand(components, *shape)
    theirs = MixtureSameFamily(
        Categorical(logits=logits), Independent(Normal(loc, scale), len(shape))
    )
    return NormalMixture(logits, loc, scale), theirs


def model_with(prior: Prior, posterior=DiagonalGaussian, size: int = 4, latent: int = 2):
    encoder = MLPEncoder((size,), (8,))
    likelihood = GaussianLikelihood((size,))
    return LatentModel(
        encoder,
        posterior(encoder.features, (latent,)),
        prior,
        MLPDecoder((latent,), likelihood.parameter_shape(), (8,)),
        likelihood,
        Scaling((size,), "column"),
    )


@pytest.mark.parametrize("shape", [(3,), (2, 2)])
def test_the_density_and_its_moments_are_those_of_torch_s_mixture(shape):
    ours, theirs = mixture(shape=shape)
    z = torch.randn(4, 6, *shape)
    torch.testing.assert_close(ours.log_prob(z), theirs.log_prob(z))
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.variance, theirs.variance)
    joint = theirs.mixture_distribution.logits + theirs.component_distribution.log_prob(
        z.unsqueeze(2)
    )
    torch.testing.assert_close(ours.responsibilities(z), joint.softmax(-1))


def test_single_precision_loses_nothing_on_narrow_components():
    loc = 3.0 + torch.randn(4, 2)
    scale = torch.full((4, 2), 1e-3)
    z = loc.float() + 1e-3 * torch.randn(4, 2).float()
    single = NormalMixture(torch.zeros(4).float(), loc.float(), scale.float())
    reference = NormalMixture(torch.zeros(4), loc.float().double(), scale.float().double())
    torch.testing.assert_close(
        single.log_prob(z).double(), reference.log_prob(z.double()), atol=1e-4, rtol=1e-5
    )
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(
            single.log_prob(z).double(), reference.log_prob(z.double()), atol=1e-4, rtol=1e-5
        )


def test_draws_follow_the_density():
    ours, theirs = mixture(components=3, shape=(2,))
    drawn = ours.sample((40_000,))
    torch.testing.assert_close(drawn.mean(0), theirs.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0), theirs.variance, atol=0.1, rtol=0.03)
    weights = ours.log_weights.exp()

    def cdf(t):
        at = torch.as_tensor(t)[:, None]
        return (weights * Normal(ours.loc[:, 0], ours.scale[:, 0]).cdf(at)).sum(-1).numpy()

    assert stats.kstest(drawn[:4000, 0].numpy(), cdf).pvalue > 1e-3


def test_weights_by_datum_are_mixtures_by_datum():
    ours, _ = mixture()
    logits = torch.randn(6, 5)
    z = torch.randn(4, 6, 3)
    among = NormalMixture(logits, ours.loc, ours.scale)
    assert among.batch_shape == (6,)
    for i in range(6):
        one = NormalMixture(logits[i], ours.loc, ours.scale)
        torch.testing.assert_close(among.log_prob(z)[:, i], one.log_prob(z[:, i]))
    assert among.sample((2,)).shape == (2, 6, 3)


def test_a_mixture_of_any_components_agrees_with_that_of_normals():
    normals, _ = mixture()
    equal = NormalMixture(torch.zeros(5), normals.loc, normals.scale)
    ours = EqualMixture(DiagonalNormal(normals.loc, normals.scale))
    z = torch.randn(4, 6, 3)
    torch.testing.assert_close(ours.log_prob(z), equal.log_prob(z))
    drawn = ours.sample((200, 200)).flatten(0, 1)
    torch.testing.assert_close(drawn.mean(0), equal.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0), equal.variance, atol=0.1, rtol=0.03)
    # Draws do not depend on one another.
    one, other = drawn[:-1, 0], drawn[1:, 0]
    assert abs(stats.pearsonr(one.numpy(), other.numpy())[0]) < 0.02


def test_the_mixture_prior_starts_with_the_moments_of_the_standard_normal():
    p = MixturePrior((2,), components=4000)()
    torch.testing.assert_close(p.mean, torch.zeros(2), atol=0.06, rtol=0)
    torch.testing.assert_close(p.variance, torch.ones(2), atol=0.06, rtol=0)
    for wrong in ({"components": 0}, {"spread": 1.0}):
        with pytest.raises(OptionError, match="'mixture' needs"):
            MixturePrior((2,), **wrong)


def test_vade_s_rate_is_the_minimum_over_clusters_and_bounds_the_kl():
    prior = MixturePrior((1,), components=3)
    model = model_with(prior, latent=1)
    evidence = model.evidence(torch.randn(5, 4), samples=2)
    rate = Vade()(evidence).terms["rate"]
    p, q = evidence.p, evidence.q
    components = Normal(p.loc[:, 0], p.scale[:, 0])
    kl = kl_divergence(Normal(q.loc, q.scale), components)  # (5, 3)

    def cost(gamma):
        return (gamma * (kl + gamma.log() - p.log_weights)).sum(-1)

    best = prior.clusters(q)
    torch.testing.assert_close(cost(best), rate)
    for _ in range(20):
        assert (cost((best.log() + torch.randn_like(best)).softmax(-1)) >= rate).all()
    # The KL itself, by quadrature.
    z = torch.linspace(-30, 30, 200_001)[:, None, None]
    integrand = q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z))
    exact = torch.trapezoid(integrand, z[:, 0, 0], dim=0)
    assert (rate > exact - 1e-9).all()
    with pytest.raises(OptionError, match="'mixture'"):
        Vade().check(model.posterior, StandardNormal((1,)), model.likelihood)


def test_the_vamp_prior_is_the_mean_of_the_posteriors_at_its_pseudo_inputs():
    source = load(torch.randn(60, 4).numpy() * 3.0 + 1.0)
    prior = VampPrior((4,), components=7)
    model = model_with(prior)
    model.scaling.fit(source)
    prior.see(source, model.scaling)
    p = model.evidence(next(source.chunks(5)).x).p
    z = torch.randn(3, 5, 2)
    total = torch.zeros(3, 5)
    for u in prior.pseudo_inputs:
        total += model.infer(u[None]).log_prob(z).exp() / 7
    torch.testing.assert_close(p.log_prob(z), total.log())
    # They start as data, scaled, and stay within their range.
    scaled = model.scaling(next(source.chunks(60)).x).to(z)
    assert all((scaled - u).abs().amax(1).min() < 1e-6 for u in prior.pseudo_inputs)
    with torch.no_grad():
        prior.pseudo_inputs += 100.0
    at_most = model.infer(torch.full((7, 4), scaled.max().item()))
    torch.testing.assert_close(model.evidence(z[0].new_zeros(5, 4)).p.loc, at_most.loc)


def test_the_vamp_prior_s_gradient_reaches_encoder_and_pseudo_inputs():
    prior = VampPrior((4,), components=3, start="noise")
    model = model_with(prior)
    z = torch.randn(1, 6, 2)

    model.evidence(torch.randn(6, 4)).p.log_prob(z).sum().backward()
    u = prior.pseudo_inputs.detach().clone().requires_grad_()
    (expected,) = torch.autograd.grad(_naive(model, z, u), u)
    torch.testing.assert_close(prior.pseudo_inputs.grad, expected)


def test_pseudo_inputs_beyond_the_data_are_only_led_back():
    prior = VampPrior((4,), components=5, start="noise")
    model = model_with(prior)
    prior.see(load(torch.randn(9, 4).numpy().clip(-1.0, 1.0)), lambda x: x)
    low, high = prior.low.item(), prior.high.item()
    with torch.no_grad():
        prior.pseudo_inputs[0], prior.pseudo_inputs[1] = low - 0.1, high + 0.1
    z = torch.randn(1, 6, 2)
    inside = prior.pseudo_inputs.detach().clamp(low, high).requires_grad_()
    (expected,) = torch.autograd.grad(_naive(model, z, inside), inside)
    assert (expected[0] > 0).any()
    assert (expected[1] > 0).any()
    expected[0].clamp_(max=0.0)
    expected[1].clamp_(min=0.0)

    model.evidence(torch.randn(6, 4)).p.log_prob(z).sum().backward()
    torch.testing.assert_close(prior.pseudo_inputs.grad, expected)


def test_pseudo_inputs_can_start_as_noise():
    u = VampPrior((300,), components=40, start="noise").pseudo_inputs
    assert u.mean().item() == pytest.approx(0.05, abs=1e-3)
    assert u.std().item() == pytest.approx(0.01, rel=0.05)


def _naive(model, z, u):
    q = [model.infer(one[None]).log_prob(z) for one in u]
    return (torch.stack(q).logsumexp(0) - math.log(len(u))).sum()


def test_more_pseudo_inputs_than_data_are_said():
    source = load(torch.randn(6, 4).numpy())
    prior = VampPrior((4,), components=20)
    (note,) = prior.see(source, lambda x: x)
    assert "20 pseudo-inputs" in note
    assert len(prior.pseudo_inputs.unique(dim=0)) == 20


def test_a_vamp_prior_needs_a_posterior_with_a_density():
    with pytest.raises(OptionError, match="posterior 'diagonal'"):
        model_with(VampPrior((4,), 3), Deterministic)


def exemplar_model(rows=12, **options):
    x = torch.randn(rows, 4)
    source = load(x.numpy())
    prior = ExemplarPrior((4,), rows, **options)
    model = model_with(prior)
    model.scaling.fit(source)
    prior.see(source, model.scaling)
    return model, next(source.chunks(rows)).x


def test_the_exemplar_prior_leaves_each_datum_out_while_training():
    model, x = exemplar_model()
    sigma = model.prior.log_scale.exp()
    means = model.infer(model.scaling(x)).mean
    z = torch.randn(3, 5, 2)
    inside, fresh = x[:4], torch.randn(1, 4, dtype=x.dtype)
    p = model.train().evidence(torch.cat([inside, fresh])).p
    for i in range(5):
        others = [m for j, m in enumerate(means) if j != i or i == 4]
        each = [Normal(m, sigma).log_prob(z[:, i]).sum(-1) for m in others]
        naive = torch.stack(each).logsumexp(0) - math.log(len(others))
        torch.testing.assert_close(p.log_prob(z)[:, i], naive, atol=1e-6, rtol=1e-6)
    whole = model.eval().evidence(inside).p.log_prob(z[:, :4])
    each = Normal(means, sigma).log_prob(z[:, :4, None]).sum(-1)
    torch.testing.assert_close(whole, each.logsumexp(-1) - math.log(12), atol=1e-6, rtol=1e-6)


def test_a_training_step_takes_a_random_subset_of_the_exemplars():
    model, x = exemplar_model(subset=5)
    p = model.train().evidence(x).p
    assert p.loc.shape == (5, 2)
    # Twelve data, five of them exemplars of this step: those five lack one each.
    left = p.logits.isneginf().sum(-1)
    assert sorted(left.tolist()) == [0] * 7 + [1] * 5
    again = model.evidence(x).p
    assert not again.loc.equal(p.loc)


def test_exemplars_fewer_than_there_is_room_for():
    source = load(torch.randn(9, 4).numpy())
    prior = ExemplarPrior((4,), 12)
    model = model_with(prior)
    prior.see(source, model.scaling)
    p = model.eval().evidence(torch.randn(2, 4)).p
    assert p.log_weights.exp().gt(0).sum() == 9
    with pytest.raises(OptionError, match="'vamp'"):
        ExemplarPrior((4,), 1)


def told_model(prior, rows=12):
    """A model whose encoder reads a condition of three numbers, and its data."""
    source = load(torch.randn(rows, 4).numpy(), condition=torch.randn(rows, 3).numpy())
    encoder = ConditionedEncoder(MLPEncoder((4,), (8,)), 3)
    likelihood = GaussianLikelihood((4,))
    decoder = MLPDecoder((2,), likelihood.parameter_shape(), (8,))
    posterior = DiagonalGaussian(encoder.features, (2,))
    model = LatentModel(encoder, posterior, prior, decoder, likelihood)
    # Each condition must matter.
    torch.nn.init.normal_(encoder.layers[2].weight)
    prior.see(source, model.scaling)
    return model, next(source.chunks(rows))


@pytest.mark.parametrize("start", ["data", "noise"])
def test_pseudo_inputs_of_a_conditional_model_carry_the_conditions_of_data(start):
    prior = VampPrior((4,), components=7, start=start, condition_dim=3)
    model, batch = told_model(prior)
    batch = Batch(batch.x.double(), condition=batch.condition.double())
    given = prior.pseudo_conditions
    places = torch.stack([(batch.condition - c).abs().sum(1).argmin() for c in given])
    torch.testing.assert_close(batch.condition[places], given)
    if start == "data":
        torch.testing.assert_close(batch.x[places], prior.pseudo_inputs.detach())
    z = torch.randn(2, 12, 2)
    pairs = zip(prior.pseudo_inputs, given, strict=True)
    each = torch.stack([model.infer(u[None], c[None]).log_prob(z) for u, c in pairs])
    p = model.evidence(batch.x, condition=batch.condition).p
    torch.testing.assert_close(p.log_prob(z), each.logsumexp(0) - math.log(7))
    # The prior is one and the same under every condition.
    assert p.batch_shape == ()


def test_data_that_every_epoch_draws_anew_are_said_to_stay_in(tmp_path):
    greys = torch.rand(40, 1, 6, 6).numpy().astype(np.float32)
    fixed = load(greys)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, picture in enumerate(greys):
        Image.fromarray((255 * picture[0]).astype(np.uint8)).save(folder / f"{i}.png")
    others = load(greys, crop=4), Binarized(fixed), load(folder, crop=4, max_bytes=10)
    for source in (fixed, *others):
        prior = ExemplarPrior(source.spec.shape, 40)
        training = source.subset("train", 0, (0.7, 0.1, 0.2))
        notes = prior.see(training, lambda x: x)
        assert len(notes) == (source is not fixed)
        first, second = (next(training.epoch(28, seed=0, epoch=e)).x.sort(0)[0] for e in (0, 1))
        assert first.equal(second) == (source is fixed)


def test_exemplars_of_a_conditional_model_are_encoded_with_their_own_conditions():
    prior = ExemplarPrior((4,), 12, condition_dim=3)
    model, batch = told_model(prior)
    x, given = (t.to(torch.float64) for t in (batch.x, batch.condition))
    means, sigma = model.infer(x, given).mean, prior.log_scale.exp()
    z = torch.randn(3, 12, 2)
    each = Normal(means, sigma).log_prob(z[:, :, None]).sum(-1)
    whole = model.eval().evidence(x, condition=given).p.log_prob(z)
    torch.testing.assert_close(whole, each.logsumexp(-1) - math.log(12), atol=1e-6, rtol=1e-6)
    beside = model.train().evidence(x, condition=given).p.log_prob(z)
    alone = each.masked_fill(torch.eye(12, dtype=torch.bool), -math.inf)
    naive = alone.logsumexp(-1) - math.log(11)
    torch.testing.assert_close(beside, naive, atol=1e-6, rtol=1e-6)


def test_a_mixture_starts_at_the_groups_of_the_codes_once_that_is_due():
    centres = torch.tensor([[-4.0, 0.0], [4.0, 1.0], [0.0, 6.0]])
    spreads = torch.tensor([[0.5, 1.0], [0.3, 0.2], [1.0, 0.4]])
    group = torch.arange(600).remainder(6).clamp(max=2)
    codes = centres[group] + spreads[group] * torch.randn(600, 2)
    prior = MixturePrior((2,), components=3, pretraining=0.5)
    prior.start(codes, seed=0)
    order = torch.cdist(centres, prior.loc).argmin(1)
    for k in range(3):
        own = codes[group == k]
        torch.testing.assert_close(prior.loc[order[k]], own.mean(0), atol=1e-2, rtol=0)
        found = prior.min_scale + torch.nn.functional.softplus(prior.raw_scale[order[k]])
        torch.testing.assert_close(found, own.std(0, correction=0), atol=1e-2, rtol=0)
        assert prior.logits.softmax(0)[order[k]].item() == pytest.approx(len(own) / 600, abs=1e-3)

    model = model_with(MixturePrior((2,), components=3, pretraining=0.5))
    source = load(torch.randn(60, 4).float().numpy())
    before = model.prior.loc.clone()
    start = starter(model, source, seed=0)
    start(0.4)
    assert model.prior.loc.equal(before)
    start(0.5)
    at = model.prior.loc.clone()
    assert not at.equal(before)
    with torch.no_grad():
        model.prior.loc.copy_(before)
    start(0.6)
    # Nor does a resumed run begin there again.
    starter(model, source, seed=1)(0.6)
    assert model.prior.loc.equal(before)


def test_pretrained_clusters_are_the_groups_of_data():
    rng = np.random.default_rng(0)
    label = np.arange(600) % 4
    x = 4.0 * rng.normal(size=(4, 6))[label] + rng.normal(size=(600, 6))
    options = {"latent_dim": 2, "hidden": (16,), "epochs": 30, "clusters": 4, "threads": 1}
    run = fit(load(x.astype(np.float32)), "vade", batch_size=32, patience=0, **options)
    with torch.no_grad():
        q = run.model.infer(run.model.scaling(torch.from_numpy(x).float()))
    found = run.model.prior.clusters(q).argmax(1).numpy()
    assert normalized_mutual_info_score(label, found) > 0.95


@pytest.mark.parametrize("likelihood", ["gaussian-shared", "gaussian"])
def test_what_comes_before_the_mixture_s_start_neither_stops_a_run_nor_is_kept(likelihood):
    """Without a price codes spread, and the bound that has one falls behind; or, where the noise is
    learned, it is better before the start than right after it.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3)) @ np.ones((3, 6)) + 0.05 * rng.normal(size=(120, 6))
    options = {"latent_dim": 4, "hidden": (16,), "clusters": 3, "threads": 1, "seed": 0, "lr": 1e-2}
    options |= {"batch_size": 16, "epochs": 20, "patience": 3, "likelihood": likelihood}
    run = fit(x.astype(np.float32), "vade", pretraining=0.6, **options)
    losses = {r["step"]: r["validation/loss"] for r in run.history if "validation/loss" in r}
    # The first step judged at progress 0.6 has not met the new prior yet.
    before, after = (
        {step: loss for step, loss in losses.items() if (step > 60) == late}
        for late in (False, True)
    )
    best = min(before, key=before.__getitem__)
    stopped = len([step for step in before if step > best]) > 3
    assert stopped or before[best] < min(list(after.values())[:4]), "the test must be able to fail"
    assert bool(run.model.prior.started)
    assert run.kept_step == min(after, key=after.__getitem__)
