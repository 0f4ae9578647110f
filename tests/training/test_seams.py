"""The house holds what is to come: an adversarial player, and a model as another model's prior."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import isthmus
from isthmus.data import load
from isthmus.fitting import fit
from isthmus.maths import gaussian_kl_standard
from isthmus.objectives import Elbo, Iwae, Reconstruction
from isthmus.priors import LatentModelPrior
from isthmus.recipes import Axes
from isthmus.training import train, training_settings

SPLIT = (0.7, 0.1, 0.2)


def test_an_adversarial_recipe_is_a_few_lines_over_the_axes(seams, digits):
    built = seams.adversarial(digits.spec, Axes(latent_dim=3, hidden=(16,)))
    run = fit(
        load(digits.x[:300].numpy()), built.model, objective=built.objective, epochs=10,
        batch_size=32, threads=1, lr=5e-3,
    )  # fmt: skip
    held_out = [r for r in run.history if "validation/loss" in r]
    for name in ("loss", "distortion", "fooled", "code"):
        assert all(math.isfinite(r[f"validation/{name}"]) for r in held_out)
        assert any(f"train/{name}" in r for r in run.history)
    assert held_out[-1]["validation/distortion"] < held_out[0]["validation/distortion"]


def test_two_players_take_the_steps_of_two_hand_written_optimisers(seams, table):
    training, validation = (table.subset(part, 0, SPLIT) for part in ("train", "validation"))
    model, objective = seams.small("adversarial", 6)
    twin, other = seams.small("adversarial", 6)
    twin.load_state_dict(model.state_dict())
    other.load_state_dict(objective.state_dict())
    n = len(training)
    settings = training_settings(
        epochs=1, batch_size=n, warmup=0, threads=1, lr=0.01, weight_decay=0.1, seed=4
    )
    train(model, objective, training, validation, settings)

    critic = other.critics["code"].network
    ours = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0.1)
    theirs = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    x = next(training.epoch(n, seed=4, epoch=0)).x
    twin.decoder.last_bias().data.copy_(x.mean(0))  # where training begins
    z = twin.posterior.head(twin.encoder(x))
    x_hat = twin.decoder(z)[:, 0]
    torch.manual_seed(4)
    prior = torch.randn(1 * n, 2)
    squared = (0.5 * (x - x_hat).square() + 0.5 * math.log(2 * math.pi)).sum(1).mean()
    fooled = F.binary_cross_entropy_with_logits(critic(z), torch.ones(n, 1))
    gradients = torch.autograd.grad(squared + fooled, list(twin.parameters()))
    ones, zeros = torch.ones(n, 1), torch.zeros(n, 1)
    told = F.binary_cross_entropy_with_logits(
        critic(prior), ones
    ) + F.binary_cross_entropy_with_logits(critic(z.detach()), zeros)
    told.backward()
    for p, gradient in zip(twin.parameters(), gradients, strict=True):
        p.grad = gradient
    ours.step()
    theirs.step()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)
    for a, b in zip(objective.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


def test_with_the_critic_codes_come_to_the_prior(seams):
    x = 3.0 + 2.0 * torch.randn(600, 2, generator=torch.Generator().manual_seed(2))
    start, adversarial = seams.small("adversarial", 2)
    adversarial.critics["code"].lr = 5e-3
    away = {}
    for name, objective in (("critic", adversarial), ("none", Reconstruction())):
        model, _ = seams.small("adversarial", 2)
        model.load_state_dict(start.state_dict())
        run = fit(
            x.numpy(), model, objective=objective, epochs=60, batch_size=64, threads=1, lr=5e-3,
            patience=0, weight_decay=0.0,
        )  # fmt: skip
        codes = run.model.encode(x)
        away[name] = gaussian_kl_standard(codes.mean(0), codes.std(0)).sum().item()
    assert away["critic"] < 0.25 * away["none"]


def by_hand(seams):
    """x = W z + b + noise, z = A u + a + noise, u ~ N(0, 1); returns the model and its marginal."""
    inner = seams.linear_gaussian(2, 1, 0.5)
    model = seams.linear_gaussian(3, 2, 0.7, LatentModelPrior((2,), inner))
    A, a = torch.tensor([[0.9], [-0.4]]), torch.tensor([0.3, -0.2])
    W = torch.tensor([[1.0, 0.2], [-0.5, 0.8], [0.3, 0.6]])
    b = torch.tensor([0.1, -0.3, 0.5])
    z_covariance = A @ A.T + 0.25 * torch.eye(2)
    x_covariance = W @ z_covariance @ W.T + 0.49 * torch.eye(3)
    # q(u|z) is exact; q(z|x) has the exact mean and the exact variances without their covariance.
    u_precision = 1.0 + (A.T @ A).item() / 0.25
    gain = A.T / 0.25 / u_precision
    z_posterior = torch.linalg.inv(W.T @ W / 0.49 + torch.linalg.inv(z_covariance))
    lift = z_covariance @ W.T @ torch.linalg.inv(x_covariance)
    z_mean, x_mean = a, W @ a + b
    with torch.no_grad():
        for part, matrix, offset in ((inner, A, a), (model, W, b)):
            part.decoder.layers[1].weight.copy_(matrix)
            part.decoder.layers[1].bias.copy_(offset)
        for part, matrix, offset, variances in (
            (inner, gain, -gain @ z_mean, torch.tensor([1.0 / u_precision])),
            (model, lift, z_mean - lift @ x_mean, z_posterior.diagonal()),
        ):
            head, size = part.posterior.head, len(matrix)
            head.weight.zero_()
            head.weight[:size].copy_(matrix)
            head.bias[:size].copy_(offset)
            head.bias[size:].copy_(variances.log())
    return model, torch.distributions.MultivariateNormal(x_mean, x_covariance)


@pytest.mark.usefixtures("float64")
def test_a_model_whose_prior_is_a_model_has_the_marginal_of_both(seams):
    model, marginal = by_hand(seams)
    x = marginal.sample((6,))
    found = model.log_likelihood(x, samples=20_000)
    assert (found - marginal.log_prob(x)).abs().max() < 0.06
    # The ELBO stays below it, and the bound of one sample is the ELBO.
    with torch.no_grad():
        evidence = model.evidence(x, samples=4000)
        elbo = -(evidence.rate + evidence.distortion.mean(0))
    assert (elbo < marginal.log_prob(x)).all()
    torch.testing.assert_close(elbo, evidence.log_weights.mean(0))


@pytest.mark.usefixtures("float64")
def test_it_samples_from_the_marginal_of_both(seams):
    model, marginal = by_hand(seams)
    drawn = model.sample(40_000, "sample")
    torch.testing.assert_close(drawn.mean(0), marginal.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), marginal.covariance_matrix, atol=0.05, rtol=0)


@pytest.mark.parametrize("objective", [Elbo(), Iwae(5)], ids=["elbo", "iwae"])
def test_it_trains_and_is_stored_like_any_model(objective, seams, table, tmp_path):
    model, _ = seams.small("hierarchical", 6)
    before = [p.detach().clone() for p in model.prior.parameters()]
    run = fit(
        table, model, objective=objective, folder=tmp_path / "run", epochs=20, batch_size=35,
        threads=1, lr=1e-2,
    )  # fmt: skip
    assert any(not p.equal(q) for p, q in zip(model.prior.parameters(), before, strict=True))
    held_out = [r["validation/loss"] for r in run.history if "validation/loss" in r]
    assert held_out[-1] < held_out[0] - 0.5
    read = isthmus.load(tmp_path / "run")
    x = table.x[:7]
    assert read.encode(x).equal(run.model.encode(x))
    torch.manual_seed(1)
    one = read.log_likelihood(x, samples=50)
    torch.manual_seed(1)
    assert one.equal(run.model.log_likelihood(x, samples=50))
    assert np.isfinite(read.sample(5).numpy()).all()
