"""The Riemannian Hamiltonian posterior: Hamiltonian steps under a metric learned from the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import HamiltonianDistribution, KernelMetric, NormalWithFactor
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, RefinedPosterior
from isthmus.posteriors.flows import at_least_one
from isthmus.posteriors.hamiltonian import HamiltonianPosterior

# A kernel's factor has exp of at most this on its diagonal: float32 keeps the metric positive.
LARGEST_LOG = 5.0


@final
@POSTERIORS.register("riemannian")
class RiemannianHamiltonian(RefinedPosterior):
    r"""The posterior 'hamiltonian' with momenta and steps under a metric learned from the data.

    .. math:: G^{-1}(z) = \sum_i L_i L_i^T e^{-\|z - c_i\|^2 / T^2} + \lambda I,

    where c_i and L_i are the encoder's mean and a factor, linear in its features, of the datum i.
    The sum is over the `centroids` training data met last, among them those of the batch in
    training; these are stored with the model, so that an answer depends on no other datum. Before
    any training G = I / lambda. As in the posterior 'hamiltonian', log q is that of code and
    momentum together, and there is no mode.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z, one axis.
        steps: K; every one costs a pass through the decoder and back.
        step_size: At the start of training.
        inverse_heat: beta_0 in (0, 1), at the start of training.
        centroids: C.
        temperature: T, how far a kernel reaches.
        regularisation: lambda.
        iterations: Of the fixed points that solve a step's implicit equations.

    Raises:
        OptionError: The code has more than one axis, or a number is out of its range.

    Reference:
        Chadebec, Thibeau-Sutre, Burgos & Allassonnière, Data Augmentation in High Dimensional Low
        Sample Size Setting Using a Geometry-Based Variational Autoencoder, arXiv 2105.00026.
    """

    has_density = True
    has_mode = False
    joint_density = True

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        steps: int = 3,
        step_size: float = 1e-3,
        inverse_heat: float = 0.3,
        centroids: int = 100,
        temperature: float = 1.5,
        regularisation: float = 0.01,
        iterations: int = 3,
    ) -> None:
        super().__init__()
        at_least_one("centroids", centroids)
        at_least_one("iterations", iterations)
        if len(latent_shape) != 1:
            raise OptionError(
                "The posterior 'riemannian' takes codes with one axis, not the shape "
                f"{tuple(latent_shape)}: use the posterior 'hamiltonian'."
            )
        if not (temperature > 0.0 and regularisation > 0.0):
            raise OptionError(
                "A metric needs temperature and regularisation above 0, got "
                f"{temperature} and {regularisation}."
            )
        self.latent_shape = tuple(latent_shape)
        self.temperature = temperature
        self.regularisation = regularisation
        self.iterations = iterations
        self.flat = HamiltonianPosterior(features, latent_shape, steps, step_size, inverse_heat)
        size = latent_shape[0]
        self.factor = nn.Linear(features, size * (size + 1) // 2)
        self.register_buffer("below", torch.tril_indices(size, size), persistent=False)
        self.register_buffer("centroids", torch.zeros(centroids, size))
        self.register_buffer("factors", torch.zeros(centroids, size, size))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.long))

    def forward(self, h: Tensor) -> NormalWithFactor:
        """The encoder's Gaussian, where the steps begin, and the datum's share in the metric."""
        base = self.flat(h)
        numbers = full_precision(self.factor(h))
        rows, columns = self.get_buffer("below")
        size = self.latent_shape[0]
        factor = numbers.new_zeros(len(h), size, size)
        factor = factor.index_put(
            (torch.arange(len(h), device=h.device)[:, None], rows, columns), numbers
        )
        logs = factor.diagonal(dim1=-2, dim2=-1).clamp(-LARGEST_LOG, LARGEST_LOG)
        return NormalWithFactor(base, factor.tril(-1) + torch.diag_embed(logs.exp()))

    def refine(
        self, q: Distribution, log_joint: Callable[[Tensor], Tensor]
    ) -> HamiltonianDistribution:
        start = cast(NormalWithFactor, q)  # what `forward` returned
        centroids, factors = self._met(start)
        metric = KernelMetric(
            centroids, factors, self.temperature, self.regularisation, self.iterations
        )
        return self.flat.moved(start.base, log_joint, metric)

    def _met(self, q: NormalWithFactor) -> tuple[Tensor, Tensor]:
        """Centroids (C, Z) and factors (C, Z, Z); in training those of q take the oldest ones'
        places.
        """
        centroids, factors = self.get_buffer("centroids"), self.get_buffer("factors")
        if not self.training:
            return centroids, factors
        new = min(len(q.factor), len(factors))
        oldest = self.get_buffer("oldest")
        places = (oldest + torch.arange(new, device=oldest.device)) % len(factors)
        met = centroids.index_copy(0, places, q.base.loc[:new].to(centroids))
        met_factors = factors.index_copy(0, places, q.factor[:new].to(factors))
        with torch.no_grad():
            centroids.copy_(met)
            factors.copy_(met_factors)
            oldest.copy_((oldest + new) % len(factors))
        return met, met_factors
