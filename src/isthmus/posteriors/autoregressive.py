"""Flow posteriors whose networks read the features beside the sample: IAF and neural splines."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn

from isthmus.distributions import Affine, Bijection, DiagonalNormal, Pushforward
from isthmus.maths import full_precision
from isthmus.networks.base import ACTIVATIONS
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.flows import at_least_one
from isthmus.posteriors.heads import location_scale
from isthmus.zuko import MaskedAutoregressiveTransform, MonotonicRQSTransform

# The last layers start at this share of their usual size: the flow starts near the identity.
START = 0.1


class Autoregressive(Bijection):
    """zuko's transform in the direction in which it is one pass, from noise to sample.

    Args:
        transform: A zuko transform, its context already given.
    """

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        z, log_det = self.transform.call_and_ladj(e)
        return z, log_det

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        e = self.transform.inv(z)
        return e, self.transform.log_abs_det_jacobian(e, z)


class AutoregressivePosterior(Posterior, ABC):
    """A location, a scale and flows, all of them read from the features.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many.
        hidden: Widths of the networks' hidden layers.
        options: Of zuko's masked transform.

    Raises:
        OptionError: No flow.
    """

    has_density = True
    has_mode = False

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        flows: int,
        hidden: tuple[int, ...],
        **options: Any,
    ) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.size = math.prod(self.latent_shape)
        self.head = nn.Linear(features, 2 * self.size)
        self.flows = stack(features, self.size, flows, hidden, **options)

    @abstractmethod
    def push(self, loc: Tensor, scale: Tensor, flows: list[Bijection]) -> Pushforward:
        """q(z|x) from the location and scale (B, size) and the flows, given x already."""

    def forward(self, h: Tensor) -> Pushforward:
        loc, scale = location_scale(self.head(h), (self.size,))
        context = full_precision(h)
        return self.push(loc, scale, [Autoregressive(flow(context)) for flow in self.flows])


@final
@POSTERIORS.register("iaf")
class InverseAutoregressiveFlow(AutoregressivePosterior):
    """A Gaussian through inverse autoregressive flows: z_i = shift_i + scale_i e_i, where networks
    give both from e_1 … e_{i−1} and the encoder's features.

    A sample and its log q are one pass; log q of any other z takes Z passes per flow. The order of
    the dimensions turns about from flow to flow. There is no mode in closed form, so `argmax` is
    refused; the code "mean" is the image of the Gaussian's mean, deterministic and not the mean of
    q itself.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many.
        width: Of the networks' hidden layers.
        depth: Hidden layers; 0 makes each flow linear in e.

    Reference:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, arXiv
        1606.04934.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        flows: int = 2,
        width: int = 128,
        depth: int = 2,
    ) -> None:
        super().__init__(features, latent_shape, flows, (width,) * depth)

    def push(self, loc: Tensor, scale: Tensor, flows: list[Bijection]) -> Pushforward:
        return Pushforward(DiagonalNormal(loc, scale), flows, self.latent_shape)


@final
@POSTERIORS.register("spline")
class SplineFlow(AutoregressivePosterior):
    """Noise through monotone rational-quadratic splines, then moved and scaled.

    Half of the dimensions set the other half's splines, in turns, and the features set both, so a
    sample is one pass and log q of any z two per flow. The splines bend the noise within 5 standard
    deviations. There is no mode in closed form, so `argmax` is refused; the code "mean" is the
    image of the noise's mean, deterministic and not the mean of q itself.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many.
        bins: Of each spline.
        width: Of the networks' hidden layers.
        depth: Hidden layers.

    Reference:
        Durkan et al., Neural Spline Flows, arXiv 1906.04032.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        flows: int = 2,
        bins: int = 8,
        width: int = 128,
        depth: int = 2,
    ) -> None:
        at_least_one("bins", bins)
        super().__init__(
            features,
            latent_shape,
            flows,
            (width,) * depth,
            passes=2,
            univariate=partial(MonotonicRQSTransform, slope=1e-3),
            shapes=[(bins,), (bins,), (bins - 1,)],
        )

    def push(self, loc: Tensor, scale: Tensor, flows: list[Bijection]) -> Pushforward:
        noise = DiagonalNormal(torch.zeros_like(loc), torch.ones_like(scale))
        return Pushforward(noise, [*flows, Affine(loc, scale)], self.latent_shape)


def stack(
    features: int, size: int, flows: int, hidden: tuple[int, ...], **options: Any
) -> nn.ModuleList:
    """Masked transforms that start near the identity, every second one in the other order."""
    at_least_one("flows", flows)
    order = torch.arange(size)
    made = [
        MaskedAutoregressiveTransform(
            size,
            features,
            order=order.flip(0) if i % 2 else order,
            hidden_features=hidden,
            activation=ACTIVATIONS["silu"].factory,
            **options,
        )
        for i in range(flows)
    ]
    with torch.no_grad():
        for flow in made:
            for parameter in flow.hyper[-1].parameters():
                parameter.mul_(START)
    return nn.ModuleList(made)
