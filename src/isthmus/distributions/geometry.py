"""The spaces that Hamiltonian steps are taken in: flat, or with a metric made of kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions.normal import DiagonalNormal

# Where the steps are: code, momentum, and the slope of log p(x, z) by the code.
State = tuple[Tensor, Tensor, Tensor]
Slope = Callable[[Tensor], Tensor]


class Geometry(ABC):
    """What the momentum's law and a leapfrog step are."""

    @abstractmethod
    def momentum(self, z: Tensor, noise: Tensor) -> Tensor:
        """A momentum (..., *Z) at z from standard normal noise of that shape."""

    @abstractmethod
    def energy(self, z: Tensor, momentum: Tensor, axes: int) -> Tensor:
        """(...) −log of the momentum's density at z, up to one constant; Z has `axes` axes."""

    @abstractmethod
    def leap(self, state: State, step: Tensor, slope: Slope) -> State:
        """One step; with −step it is taken back."""


@final
class Flat(Geometry):
    """A standard normal momentum and the leapfrog."""

    def momentum(self, z: Tensor, noise: Tensor) -> Tensor:
        return noise

    def energy(self, z: Tensor, momentum: Tensor, axes: int) -> Tensor:
        return 0.5 * momentum.square().flatten(momentum.ndim - axes).sum(-1)

    def leap(self, state: State, step: Tensor, slope: Slope) -> State:
        z, momentum, pull = state
        momentum = momentum + 0.5 * step * pull
        z = z + step * momentum
        pull = slope(z)
        return z, momentum + 0.5 * step * pull, pull


class _Place(NamedTuple):
    """The inverse metric at z (..., Z).

    Args:
        offsets: (..., C, Z) from the centroids, over T².
        weights: (..., C) of the kernels.
        inverse: (..., Z, Z) G⁻¹.
    """

    offsets: Tensor
    weights: Tensor
    inverse: Tensor


@final
class KernelMetric(Geometry):
    r"""A metric made of kernels, :math:`G^{-1}(z) = \sum_i L_i L_i^T e^{-\|z - c_i\|^2 / T^2} +
    \lambda I`.

    The momentum is Normal(0, G(z)), and a step is the generalised leapfrog on the Hamiltonian
    −log p(x, z) + ½ ρᵀ G⁻¹ ρ + ½ log det G. Its two implicit equations are solved by `iterations`
    rounds of a fixed point; as far as they converge the step keeps volumes and can be taken back.

    Args:
        centroids: (C, Z).
        factors: (C, Z, Z) lower triangular L_i.
        temperature: T.
        regularisation: λ > 0.
        iterations: Of each fixed point.

    Reference:
        Chadebec, Mantoux & Allassonnière, Geometry-Aware Hamiltonian Variational Auto-Encoder,
        arXiv 2010.11518; Girolami & Calderhead, Riemann manifold Langevin and Hamiltonian Monte
        Carlo, JRSS B 2011.
    """

    def __init__(
        self,
        centroids: Tensor,
        factors: Tensor,
        temperature: float,
        regularisation: float,
        iterations: int,
    ) -> None:
        self.centroids = centroids
        self.products = factors @ factors.mT
        self.precision = 1.0 / temperature**2
        own = torch.eye(centroids.shape[1], dtype=centroids.dtype, device=centroids.device)
        self.floor = regularisation * own
        self.iterations = iterations

    def inverse(self, z: Tensor) -> Tensor:
        """G⁻¹ (..., Z, Z) at z (..., Z)."""
        return self._at(z).inverse

    def momentum(self, z: Tensor, noise: Tensor) -> Tensor:
        # G⁻¹ = R Rᵀ, so R⁻ᵀ e has the covariance G.
        root = torch.linalg.cholesky_ex(self.inverse(z)).L
        solved = torch.linalg.solve_triangular(root.mT, noise.unsqueeze(-1), upper=True)
        return solved.squeeze(-1)

    def energy(self, z: Tensor, momentum: Tensor, axes: int = 1) -> Tensor:
        inverse = self.inverse(z)
        # Unlike `cholesky`, it asks the device for no answer.
        root = torch.linalg.cholesky_ex(inverse).L
        log_volume = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return 0.5 * (momentum * _times(inverse, momentum)).sum(-1) - log_volume

    def slope(self, z: Tensor, momentum: Tensor) -> Tensor:
        """The gradient of `energy` by z (..., Z)."""
        place = self._at(z)
        return self._slope(place, self._spread(place), momentum)

    def leap(self, state: State, step: Tensor, slope: Slope) -> State:
        z, start, pull = state
        here = self._at(z)
        spread = self._spread(here)
        pushed = start + 0.5 * step * pull
        momentum = start
        for _ in range(self.iterations):
            momentum = pushed - 0.5 * step * self._slope(here, spread, momentum)
        velocity = _times(here.inverse, momentum)
        end = z + step * velocity
        for _ in range(self.iterations):
            end = z + 0.5 * step * (velocity + _times(self._at(end).inverse, momentum))
        pull = slope(end)
        return end, momentum + 0.5 * step * (pull - self.slope(end, momentum)), pull

    def _at(self, z: Tensor) -> _Place:
        apart = z.unsqueeze(-2) - self.centroids
        weights = (-self.precision * apart.square().sum(-1)).exp()
        inverse = torch.einsum("...c,cij->...ij", weights, self.products) + self.floor
        return _Place(self.precision * apart, weights, inverse)

    def _spread(self, place: _Place) -> Tensor:
        """(..., C) tr(G L_i L_iᵀ): the change of log det G⁻¹ with each kernel's weight."""
        return torch.einsum(
            "...ij,cji->...c", torch.linalg.inv_ex(place.inverse).inverse, self.products
        )

    def _slope(self, place: _Place, spread: Tensor, momentum: Tensor) -> Tensor:
        stretch = torch.einsum("...i,cij,...j->...c", momentum, self.products, momentum)
        return torch.einsum("...c,...cz->...z", place.weights * (spread - stretch), place.offsets)


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


@final
class NormalWithFactor(Distribution):
    """A datum's normal, and the factor of the metric's kernel that its mean is the centroid of.

    Args:
        base: Batch (B,), event (Z,).
        factor: (B, Z, Z) lower triangular.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(self, base: DiagonalNormal, factor: Tensor) -> None:
        self.base = base
        self.factor = factor
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.base.mean

    @property
    def variance(self) -> Tensor:
        return self.base.variance

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.base.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.base.log_prob(value)
