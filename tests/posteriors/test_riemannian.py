"""The Riemannian Hamiltonian posterior: what its metric is made of, and what is stored of it."""

import pytest
import torch

import isthmus
from isthmus.data import load
from isthmus.errors import OptionError
from isthmus.posteriors import HamiltonianPosterior, RiemannianHamiltonian

pytestmark = pytest.mark.usefixtures("float64")
H, Z, B = 6, 3, 4


def bowl(z):
    return -0.5 * (z - 0.3).square().sum(-1)


def test_the_metric_is_the_sum_over_the_batch_s_means_and_factors():
    posterior = RiemannianHamiltonian(H, (Z,), centroids=B, temperature=1.2, regularisation=0.1)
    h, z = torch.randn(B, H), torch.randn(Z)
    start = posterior(h)
    numbers, expected = posterior.factor(h), 0.1 * torch.eye(Z)
    for b in range(B):
        factor = torch.zeros(Z, Z)
        factor[tuple(torch.tril_indices(Z, Z))] = numbers[b]
        factor.diagonal().exp_()
        near = torch.exp(-(z - start.mean[b]).square().sum() / 1.2**2)
        expected = expected + near * factor @ factor.T
    metric = posterior.train().refine(start, bowl).geometry
    torch.testing.assert_close(metric.inverse(z), expected)
    # What was met in training answers afterwards, whatever is asked.
    later = posterior.eval().refine(posterior(torch.randn(2, H)), bowl).geometry
    torch.testing.assert_close(later.inverse(z), expected)


def test_the_oldest_centroids_give_way():
    posterior = RiemannianHamiltonian(H, (Z,), centroids=5).train()
    batches = [posterior(torch.randn(n, H)) for n in (3, 3, 7)]
    for q, expected in (
        (batches[0], lambda: [batches[0].mean[:3]]),
        (batches[1], lambda: [batches[1].mean[2:3], batches[0].mean[1:3], batches[1].mean[:2]]),
    ):
        posterior.refine(q, bowl)
        means = torch.cat(expected())
        torch.testing.assert_close(posterior.centroids[: len(means)], means)
    posterior.refine(batches[2], bowl)
    torch.testing.assert_close(posterior.centroids.roll(-1, 0), batches[2].mean[:5])
    assert posterior.oldest == 1


def test_before_any_training_it_is_the_hamiltonian_posterior_in_units_of_the_floor():
    posterior = RiemannianHamiltonian(H, (Z,), step_size=0.05, regularisation=1.0).eval()
    flat = HamiltonianPosterior(H, (Z,), step_size=0.05)
    flat.load_state_dict(posterior.flat.state_dict())
    h, found = torch.randn(B, H), []
    for one in (posterior, flat):
        torch.manual_seed(2)
        q = one.refine(one(h), bowl)
        z = q.rsample((6,))
        found.append((z, q.log_prob(z), q.mean))
    torch.testing.assert_close(*found, atol=1e-14, rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_shape": (2, 2)}, "one axis"),
        ({"centroids": 0}, "centroids"),
        ({"iterations": 0}, "iterations"),
        ({"regularisation": 0.0}, "above 0"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        RiemannianHamiltonian(H, **{"latent_shape": (Z,), **options})


def test_the_metric_is_stored_with_the_model(tmp_path):
    torch.set_default_dtype(torch.float32)
    x = torch.randn(60, 5)
    run = isthmus.fit(
        load(x.numpy()), "rhvae", latent_dim=2, hidden=(8,), epochs=2, centroids=20, threads=1
    )
    posterior = run.model.posterior
    assert posterior.factors.diagonal(dim1=1, dim2=2).min() > 0
    isthmus.save(run.model, tmp_path)
    read = isthmus.load(tmp_path)
    assert read.posterior.centroids.equal(posterior.centroids)
    assert read.posterior.factors.equal(posterior.factors)
    assert read.encode(x).equal(run.model.encode(x))
    found = []
    for model in (read, run.model):
        torch.manual_seed(0)
        found.append(model.log_likelihood(x, samples=7))
    assert found[0].equal(found[1])
