"""Objectives with a critic: their numbers, their games, and where the games lead."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isthmus.data import load
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.fitting import fit
from isthmus.likelihoods import CategoricalLikelihood
from isthmus.maths import gaussian_kl_standard
from isthmus.objectives import Adversarial, Elbo, FactorVae, VaeGan
from isthmus.objectives.critics import code_critic
from isthmus.objectives.factor import permuted
from isthmus.objectives.vaegan import DataCritic, balance
from isthmus.posteriors import Deterministic


def correlated(linear, rows):
    """Codes of a Gaussian with correlation 0.8, and the total correlation of it in nats."""
    factor = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    mean = torch.randn(rows, 2) @ factor.T
    q = DiagonalNormal(mean, torch.full((rows, 2), 1e-4))
    evidence = linear(q, 1, torch.zeros(4, 2), torch.zeros(4))
    return evidence, -0.5 * math.log(1.0 - 0.8**2)


class Optimal(nn.Module):
    """The logarithm of the ratio of that Gaussian's density to its marginals' product."""

    def forward(self, z):
        a, b = z.unbind(1)
        exponent = (a * a - 1.6 * a * b + b * b) / 0.36 - a * a - b * b
        return -0.5 * exponent - 0.5 * math.log(0.36)


def test_the_best_critic_s_logit_is_the_total_correlation(linear):
    evidence, expected = correlated(linear, 20_000)
    objective = FactorVae((2,), gamma=7.0, width=4, depth=1)
    objective.critics["critic"].network = Optimal()
    loss = objective(evidence)
    correlation = loss.terms["total_correlation"].mean()
    assert correlation.item() == pytest.approx(expected, abs=0.03)
    torch.testing.assert_close(loss.total, Elbo()(evidence).total + 7.0 * correlation)


def test_the_critic_s_loss_is_least_where_its_logit_is_the_ratio(linear):
    evidence, _ = correlated(linear, 20_000)
    objective = FactorVae((2,), width=4, depth=1)
    network = Optimal()
    scale, shift = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    objective.critics["critic"].network = network
    network.register_forward_hook(lambda module, inputs, logits: scale * logits + shift)
    gradients = torch.autograd.grad(objective(evidence).critics["critic"], (scale, shift))
    assert all(abs(gradient) < 0.01 for gradient in gradients)


def test_shuffled_codes_keep_every_dimension_s_values_and_lose_their_company(linear):
    z = correlated(linear, 20_000)[0].z[0]
    shuffled = permuted(z)
    for a, b in zip(z.T, shuffled.T, strict=True):
        assert a.sort().values.equal(b.sort().values)
    assert z.T.corrcoef()[0, 1] > 0.78
    assert abs(shuffled.T.corrcoef()[0, 1]) < 0.03


@pytest.mark.usefixtures("float64")
def test_the_adversarial_game_is_binary_cross_entropy(build):
    evidence = build(Deterministic).evidence(torch.randn(9, 5))
    objective = Adversarial((2,), scale=3.0, width=8)
    critic = objective.critics["critic"].network
    torch.manual_seed(1)
    loss = objective(evidence)
    torch.manual_seed(1)
    on_prior, on_codes = critic(torch.randn(9, 2)), critic(evidence.z[0])
    cross_entropy = F.binary_cross_entropy_with_logits
    expected = cross_entropy(on_prior, torch.ones(9)) + cross_entropy(on_codes, torch.zeros(9))
    torch.testing.assert_close(loss.critics["critic"], expected)
    fooled = cross_entropy(on_codes, torch.ones(9))
    torch.testing.assert_close(loss.total, evidence.distortion.mean() + 3.0 * fooled)


def test_the_adversarial_game_brings_codes_to_the_prior(build):
    x = 3.0 + 2.0 * torch.randn(300, 5, generator=torch.Generator().manual_seed(2))
    away = {}
    for scale in (0.0, 1.0):
        torch.manual_seed(0)
        model = build(Deterministic)
        objective = Adversarial((2,), scale, width=16, lr=5e-3)
        run = fit(
            x.numpy(), model, objective=objective, epochs=50, batch_size=32, threads=1, lr=5e-3,
            patience=0, weight_decay=0.0,
        )  # fmt: skip
        codes = run.model.encode(x)
        away[scale] = gaussian_kl_standard(codes.mean(0), codes.std(0)).sum().item()
    assert away[1.0] < 0.25 * away[0.0]


@pytest.mark.usefixtures("float64")
def test_vae_gan_s_terms_are_its_formula(build):
    evidence = build().evidence(torch.randn(9, 5))
    objective = VaeGan((5,), pixels=0.2, features=3.0, adversarial=0.5, width=4).eval()
    network = objective.critics["critic"].network
    torch.manual_seed(1)
    loss = objective(evidence)
    torch.manual_seed(1)
    drawn = torch.randn(1, 9, 2)
    real, seen = network(evidence.x)
    _, rebuilt = network(evidence.px.mean[0])
    torch.testing.assert_close(seen.var(1, unbiased=False), torch.ones(9), atol=1e-3, rtol=0)
    error = 0.5 * ((rebuilt - seen) ** 2).mean()
    made = [network(evidence.generate(z).mean[0])[0] for z in (evidence.z, drawn)]
    cross_entropy = F.binary_cross_entropy_with_logits
    fooled = cross_entropy(torch.cat(made), torch.ones(18))
    told = cross_entropy(real, torch.ones(9)) + cross_entropy(torch.cat(made), torch.zeros(18))
    expected = 0.2 * evidence.distortion.mean() + evidence.rate.mean() + 15.0 * error + 2.5 * fooled
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(loss.critics["critic"], told)


def test_the_adversarial_term_of_vae_gan_does_not_reach_the_encoder(build):
    model = build()
    objective = VaeGan((5,), pixels=0.0, features=0.0, width=4)
    loss = objective(model.evidence(torch.randn(9, 5)))
    (loss.terms["adversarial"].mean()).backward()
    assert all(p.grad is None for p in model.encoder.parameters())
    assert all(p.grad is not None for p in model.decoder.parameters())


@pytest.mark.parametrize(
    ("real", "fake", "moves"),
    [
        (0.7, 0.7, (1, 1)),
        (0.2, 0.7, (0, 1)),
        (0.7, 0.2, (0, 1)),
        (1.2, 0.7, (1, 0)),
        (1.2, 0.2, (1, 1)),
    ],
)
def test_who_wins_by_more_than_the_margin_waits(real, fake, moves):
    found = balance(torch.tensor(real), torch.tensor(fake), 0.68, 0.4)
    assert tuple(int(m) for m in found) == moves


def test_a_critic_of_images_takes_any_size():
    for shape in ((1, 8, 8), (3, 7, 5), (1, 28, 28), (1, 3, 2)):
        logits, features = DataCritic(shape, 4)(torch.randn(2, *shape))
        assert logits.shape == (2,)
        assert features.shape[0] == 2
    with pytest.raises(OptionError, match="width must be at least 1"):
        code_critic((2,), 0, 1)


def test_what_has_no_mean_is_refused(build):
    model = build()
    with pytest.raises(OptionError, match="reads the mean"):
        VaeGan((5,), width=4).check(
            model.posterior, model.prior, CategoricalLikelihood((5,), n_categories=3)
        )


def gradient_energy(images):
    """The mean squared difference of neighbouring pixels: what blurring takes away."""
    down, across = images.diff(dim=-2), images.diff(dim=-1)
    return (down.square().mean() + across.square().mean()).item()


def test_vae_gan_s_reconstructions_are_sharper_than_the_vae_s_at_equal_code_size():
    source = load("digits").subset("train", 0, (0.35, 0.3, 0.35))
    kept = {}
    for name, own in (("vae", {}), ("vae-gan", {"width": 8})):
        run = fit(
            source, name, latent_dim=2, hidden=(64,), epochs=60, batch_size=64, threads=1, **own
        )
        *_, test = run.split.of(source)
        kept[name] = gradient_energy(run.model.reconstruct(test.x)) / gradient_energy(test.x)
    assert kept["vae"] + 0.1 < kept["vae-gan"] < 1.1
