"""Flow posteriors whose every parameter is given by the encoder: planar, radial, Sylvester."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from isthmus.distributions import Bijection, DiagonalNormal, Planar, Pushforward, Radial, Sylvester
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import location_scale


class AmortisedFlow(Posterior, ABC):
    """q(z|x): a diagonal Gaussian carried through bijections, all linear in the features.

    There is no mode in closed form, so `argmax` is refused; the code "mean" is the image of the
    Gaussian's mean, deterministic and not the mean of q itself.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many bijections.
        parameters: Of one bijection.
    """

    has_density = True
    has_mode = False

    def __init__(
        self, features: int, latent_shape: Sequence[int], flows: int, parameters: int
    ) -> None:
        super().__init__()
        at_least_one("flows", flows)
        self.latent_shape = tuple(latent_shape)
        self.size = math.prod(self.latent_shape)
        self.flows = flows
        self.head = nn.Linear(features, 2 * self.size)
        self.flow_head = nn.Linear(features, flows * parameters)

    @abstractmethod
    def bijection(self, parameters: Tensor) -> Bijection:
        """One bijection from its parameters (B, P)."""

    def forward(self, h: Tensor) -> Pushforward:
        loc, scale = location_scale(self.head(h), (self.size,))
        parameters = full_precision(self.flow_head(h)).chunk(self.flows, -1)
        return Pushforward(
            DiagonalNormal(loc, scale), [self.bijection(p) for p in parameters], self.latent_shape
        )


@final
@POSTERIORS.register("planar")
class PlanarFlow(AmortisedFlow):
    """A Gaussian bent along one direction after another, z = e + û tanh(w · e + b), w · û > −1.

    log q of its own samples comes with them; of any other z, one scalar root is found per flow.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many bends.

    Reference:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, arXiv 1505.05770.
    """

    def __init__(self, features: int, latent_shape: Sequence[int], flows: int = 8) -> None:
        super().__init__(features, latent_shape, flows, 2 * math.prod(latent_shape) + 1)

    def bijection(self, parameters: Tensor) -> Planar:
        u, w, b = parameters.split((self.size, self.size, 1), -1)
        return Planar(u, w, b.squeeze(-1))


@final
@POSTERIORS.register("radial")
class RadialFlow(AmortisedFlow):
    """A Gaussian drawn in to or pushed off one centre after another.

    log q of any z is in closed form.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many centres.

    Reference:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, arXiv 1505.05770.
    """

    def __init__(self, features: int, latent_shape: Sequence[int], flows: int = 8) -> None:
        super().__init__(features, latent_shape, flows, math.prod(latent_shape) + 2)

    def bijection(self, parameters: Tensor) -> Radial:
        centre, alpha, beta = parameters.split((self.size, 1, 1), -1)
        return Radial(centre, alpha.squeeze(-1), beta.squeeze(-1))


@final
@POSTERIORS.register("sylvester")
class SylvesterFlow(AmortisedFlow):
    """A Gaussian bent along M orthonormal directions at once, which a planar flow does one by one:
    z = e + Q R tanh(R̃ Qᵀ e + b).

    log q of its own samples comes with them; of any other z, M scalar roots are found per flow.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z.
        flows: How many such steps.
        columns: M, at most Z of which are used.
        reflections: Householder reflections that make up Q.

    Reference:
        van den Berg et al., Sylvester Normalizing Flows for Variational Inference, arXiv
        1803.05649.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        flows: int = 4,
        columns: int = 16,
        reflections: int = 4,
    ) -> None:
        at_least_one("columns", columns)
        at_least_one("reflections", reflections)
        size = math.prod(latent_shape)
        columns = min(columns, size)
        triangle = columns * (columns + 1) // 2
        self.parts = (reflections * size, triangle, triangle, columns)
        super().__init__(features, latent_shape, flows, sum(self.parts))
        self.columns = columns
        upper = torch.triu_indices(columns, columns)
        self.register_buffer("upper", upper[0] * columns + upper[1], persistent=False)

    def bijection(self, parameters: Tensor) -> Sylvester:
        normals, left, right, b = parameters.split(self.parts, -1)
        return Sylvester(
            normals.unflatten(-1, (-1, self.size)), self._square(left), self._square(right), b
        )

    def _square(self, triangle: Tensor) -> Tensor:
        flat = triangle.new_zeros(len(triangle), self.columns**2)
        filled = flat.index_copy(1, self.get_buffer("upper"), triangle)
        return filled.unflatten(-1, (self.columns, self.columns))


def at_least_one(option: str, value: int) -> None:
    """Refuse a count below one.

    Raises:
        OptionError: It is.
    """
    if value < 1:
        raise OptionError(f"{option} must be at least 1, got {value}.")
