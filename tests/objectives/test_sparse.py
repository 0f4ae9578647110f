"""What trains a sparse code, against plain loops over data and latents."""

from __future__ import annotations

import pytest
import torch

from isthmus.errors import OptionError
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import Dictionary, MLPEncoder
from isthmus.objectives import SparseReconstruction
from isthmus.posteriors import DiagonalGaussian, Gated, TopK
from isthmus.priors import StandardNormal

B, D, Z = 6, 4, 8


def model_with(posterior):
    likelihood = GaussianLikelihood((D,))
    decoder = Dictionary((Z,), likelihood.parameter_shape())
    decoder.bias.data.normal_()
    return LatentModel(MLPEncoder((D,), ()), posterior, StandardNormal((Z,)), decoder, likelihood)


@pytest.fixture
def x(float64):
    return torch.randn(B, D)


def half_squared_error(x, z, decoder):
    """Of each datum, with the Gaussian's constant."""
    constant = 0.5 * D * torch.log(torch.tensor(2.0 * torch.pi))
    rows = []
    for one, code in zip(x, z, strict=True):
        rebuilt = decoder.bias.clone()
        for i in range(Z):
            rebuilt = rebuilt + code[i] * decoder.directions[i]
        rows.append(0.5 * (one - rebuilt).square().sum() + constant)
    return torch.stack(rows)


def test_dead_latents_learn_what_the_living_leave(x):
    posterior = TopK(D, (Z,), k=2, dead_after=10)
    model = model_with(posterior).train()
    # Two that the next step does not use, and one that lives.
    posterior.silent[:] = 9
    living = model.infer(x).mean
    used = (living != 0).any(0)
    posterior.silent[:] = torch.where(torch.arange(Z) % 2 == 0, 100, 0)
    dead = (torch.arange(Z) % 2 == 0) & ~used
    if not dead.any():
        pytest.fail("the seed leaves no latent dead")
    objective = SparseReconstruction(revival=0.25).train()
    evidence = model.evidence(x)
    loss = objective(evidence)

    said = (x @ posterior.linear.weight.T + posterior.linear.bias).clamp(min=0) * dead
    kept = torch.zeros_like(said)
    for n in range(B):
        for i in sorted(range(Z), key=lambda i, row=said[n]: -row[i].item())[: D // 2]:
            kept[n, i] = said[n, i]
    decoder = model.decoder
    left = x - decoder(evidence.z[0]).squeeze(1)
    made = kept @ decoder.directions
    expected = 0.25 * 0.5 * (left.detach() - made).square().sum(1) * (kept != 0).any(1)
    torch.testing.assert_close(loss.terms["revival"], expected)
    torch.testing.assert_close(
        loss.terms["distortion"], half_squared_error(x, evidence.z[0], decoder)
    )
    torch.testing.assert_close(
        loss.total, (loss.terms["distortion"] + loss.terms["revival"]).mean()
    )
    found = torch.autograd.grad(loss.terms["revival"].sum(), list(model.parameters()))
    plain = torch.autograd.grad(
        expected.sum(), list(model.parameters()), allow_unused=True, materialize_grads=True
    )
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other)
    assert not model.eval().evidence(x).q.revival
    assert objective(model.evidence(x)).terms["revival"].abs().sum() == 0


def test_the_gate_learns_to_rebuild_and_the_decoder_does_not_hear_it(x):
    posterior = Gated(D, (Z,))
    model = model_with(posterior).train()
    loss = SparseReconstruction()(model.evidence(x))
    gate = (x @ posterior.linear.weight.T + posterior.linear.bias).clamp(min=0)
    expected = half_squared_error(x, gate, model.decoder)
    torch.testing.assert_close(loss.terms["gate"], expected)
    encoder = list(posterior.linear.parameters())
    found = torch.autograd.grad(loss.terms["gate"].sum(), encoder, retain_graph=True)
    plain = torch.autograd.grad(expected.sum(), encoder)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other)
    silent = torch.autograd.grad(
        loss.terms["gate"].sum(), list(model.decoder.parameters()), allow_unused=True
    )
    assert silent == (None, None)
    with torch.no_grad():
        judged = SparseReconstruction().eval()(model.eval().evidence(x))
    torch.testing.assert_close(judged.terms["gate"], expected.detach())


def test_prefixes_of_the_code_must_rebuild_on_their_own(x):
    model = model_with(TopK(D, (Z,), k=5))
    evidence = model.evidence(x)
    loss = SparseReconstruction(widths=(0.25, 0.6))(evidence)
    expected = torch.zeros(B)
    for width in (2, 5):
        prefix = evidence.z[0].clone()
        prefix[:, width:] = 0
        expected += half_squared_error(x, prefix, model.decoder)
    torch.testing.assert_close(loss.terms["nested"], expected)


def test_what_has_no_dead_latents_is_refused():
    with pytest.raises(OptionError, match="posterior 'topk'"):
        SparseReconstruction().check(DiagonalGaussian(3, (2,)), StandardNormal((2,)))
    with pytest.raises(OptionError, match="shares of the code"):
        SparseReconstruction(widths=(0.5, 1.0))
