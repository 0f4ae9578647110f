"""Models whose decoder is a known surface, and linear Gaussian models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from isthmus.likelihoods import GaussianLikelihood, Likelihood
from isthmus.model import LatentModel
from isthmus.networks import Decoder, MLPDecoder, MLPEncoder
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import StandardNormal


class Surface(Decoder):
    """A closed-form map z (N, Z) -> x (N, D) in the decoder's place."""

    def __init__(self, of: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.of = of

    def forward(self, z: Tensor) -> Tensor:
        found = self.of(z)
        return found if found.dim() > 2 else found.unsqueeze(1)


@pytest.fixture
def surface() -> Callable[..., LatentModel]:
    """(map, Z, D, likelihood) -> a model whose decoder is the map."""

    def model(
        of: Callable[[Tensor], Tensor], z: int, d: int, likelihood: Likelihood | None = None
    ) -> LatentModel:
        encoder = MLPEncoder((d,), ())
        posterior = DiagonalGaussian(encoder.features, (z,))
        likelihood = likelihood or GaussianLikelihood((d,))
        return LatentModel(encoder, posterior, StandardNormal((z,)), Surface(of), likelihood)

    return model


@pytest.fixture
def linear_model() -> LatentModel:
    """x = W z + b in 5 dimensions; q(z|x) is Gaussian with mean G x and known scales."""
    z, d = 3, 5
    encoder, likelihood = MLPEncoder((d,), ()), GaussianLikelihood((d,))
    decoder = MLPDecoder((z,), likelihood.parameter_shape(), ())
    posterior = DiagonalGaussian(encoder.features, (z,))
    model = LatentModel(encoder, posterior, StandardNormal((z,)), decoder, likelihood)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        decoder.layers[1].weight.copy_(torch.randn(d, z, generator=generator))
        decoder.layers[1].bias.copy_(torch.randn(d, generator=generator))
        gain = torch.randn(z, d, generator=generator)
        posterior.head.weight.copy_(torch.cat([gain, torch.zeros(z, d)]))
        posterior.head.bias.copy_(torch.tensor([0.1, -0.2, 0.3, -2.0, -1.0, 0.0]))
    return model
