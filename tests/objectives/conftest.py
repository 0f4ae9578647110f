"""What the tests of objectives share: a small model, and evidence whose parameters are at hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions import DiagonalNormal
from isthmus.evidence import Evidence
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import StandardNormal

DATA, LATENT = 5, 2


@pytest.fixture
def build() -> Callable[..., LatentModel]:
    """posterior class -> a model of 5 columns with a code of 2."""

    def make(posterior=DiagonalGaussian, hidden=(8,)) -> LatentModel:
        encoder = MLPEncoder((DATA,), hidden)
        likelihood = GaussianLikelihood((DATA,), scale=0.7)
        return LatentModel(
            encoder,
            posterior(encoder.features, (LATENT,)),
            StandardNormal((LATENT,)),
            MLPDecoder((LATENT,), likelihood.parameter_shape(), hidden),
            likelihood,
        )

    return make


@pytest.fixture
def linear() -> Callable[..., Evidence]:
    """(q, samples, W, x) -> evidence of x = W z + noise of 0.7, the same x (D,) in every row."""

    def make(q: Distribution, samples: int, W: Tensor, x: Tensor) -> Evidence:
        def generate(z: Tensor) -> DiagonalNormal:
            return DiagonalNormal(z @ W.T, torch.tensor(0.7))

        z = q.rsample(torch.Size((samples,)))
        d = z.shape[-1]
        p = DiagonalNormal(torch.zeros(d), torch.ones(()), is_standard=True)
        rows = x.expand(q.batch_shape[0], -1)
        return Evidence(rows, q, p, z, True, lambda _: q, generate)

    return make
