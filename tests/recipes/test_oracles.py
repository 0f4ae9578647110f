"""Whole recipes against what is known without training: PCA's subspace, likelihood, error."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from isthmus.data import DataSpec, Resident, load
from isthmus.fitting import Split, fit
from isthmus.likelihoods import SharedGaussianLikelihood
from isthmus.metrics import r2
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import Elbo
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import StandardNormal


def linear_gaussian(n=3000, size=6, latent=2, noise=0.4):
    """Data of a linear Gaussian model with well separated axes."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(size, latent)))[0] * np.array([3.0, 1.5])
    x = random.normal(size=(n, latent)) @ axes.T + noise * random.normal(size=(n, size)) + 1.0
    spec = DataSpec("table", (size,), "real", n)
    return Resident(torch.as_tensor(x, dtype=torch.float32), spec)


def test_linear_ae_spans_the_subspace_of_pca():
    source = linear_gaussian()
    options = {"latent_dim": 2, "epochs": 400, "batch_size": 2400, "patience": 0, "threads": 1}
    run = fit(source, "linear-ae", split=Split(0, (0.8, 0.1, 0.1)), **options)
    training, _, _ = run.split.of(source)
    scaled = run.model.scaling(training.x).numpy()
    principal = PCA(2).fit(scaled).components_.T
    learned = run.model.decoder.layers[1].weight.detach().numpy()
    assert subspace_angles(principal, learned).max() < 1e-2


@pytest.fixture(scope="module")
def linear_vae():
    source = linear_gaussian()
    encoder = MLPEncoder((6,), ())
    likelihood = SharedGaussianLikelihood((6,), per_element=False)
    torch.manual_seed(0)
    model = LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, (2,)),
        StandardNormal((2,)),
        MLPDecoder((2,), likelihood.parameter_shape(), ()),
        likelihood,
    )
    run = fit(
        source, model, objective=Elbo(samples=4), epochs=80, lr=1e-2, weight_decay=0.0, threads=1
    )
    training, _, test = run.split.of(source)
    return model, PCA(2).fit(training.x.double().numpy()), test.x


def test_the_linear_vae_s_likelihood_is_that_of_probabilistic_pca(linear_vae):
    model, pca, x = linear_vae
    ours = model.log_likelihood(x, samples=2000).mean().item()
    assert ours == pytest.approx(pca.score(x.double().numpy()), abs=0.05)


def test_the_linear_vae_s_elbo_stays_below_its_likelihood(linear_vae):
    model, _, x = linear_vae
    with torch.no_grad():
        evidence = model.evidence(x, samples=64)
        elbo = -(evidence.rate + evidence.distortion.mean(0))
    assert elbo.mean() < model.log_likelihood(x, samples=2000).mean()


def test_the_importance_bound_rises_with_the_samples(linear_vae):
    model, _, x = linear_vae
    bounds = [model.log_likelihood(x, samples=k).mean().item() for k in (1, 5, 50, 500)]
    assert bounds == sorted(bounds)
    with torch.no_grad():
        elbo = torch.stack(
            [-(e.rate + e.distortion[0]).mean() for e in (model.evidence(x) for _ in range(20))]
        )
    ones = torch.stack([model.log_likelihood(x, samples=1).mean() for _ in range(20)])
    error = (elbo.var() / 20 + ones.var() / 20).sqrt()
    assert (elbo.mean() - ones.mean()).abs() < 4 * error


@pytest.mark.parametrize(
    ("latent_dim", "least", "linear"), [(2, 0.58, 0.28), (8, 0.84, 0.67), (16, 0.91, 0.84)]
)
def test_ae_rebuilds_the_held_out_fifth_of_the_digits_far_better_than_pca(
    latent_dim, least, linear
):
    source = load("digits")
    run = fit(source, "ae", latent_dim=latent_dim, threads=1)
    training, _, test = run.split.of(source)
    rebuilt = run.model.reconstruct(test.x)
    assert r2(test.x.numpy(), rebuilt.numpy()) >= least
    flat = training.x.flatten(1).numpy()
    pca = PCA(latent_dim).fit(flat)
    x = test.x.flatten(1).numpy()
    theirs = r2(x, pca.inverse_transform(pca.transform(x)))
    assert theirs == pytest.approx(linear, abs=0.02)
