"""How far an encoder's guess stays behind the best of its family, and that behind log p(x)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from isthmus.annealing import Annealing, along
from isthmus.answering import answering
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError, UnsupportedError
from isthmus.leapfrog import Path
from isthmus.model import LatentModel
from isthmus.posteriors import refined
from isthmus.posteriors.semi_amortised import hadamard_signs


@final
@dataclass(frozen=True)
class Gaps:
    """Bounds on log p(x) in nats, in the model's scaled units.

    Args:
        amortised: (N,) at the encoder's posterior.
        refined: (N,) at the posterior after many steps on each datum's own bound.
        log_likelihood: (N,) by annealing, itself a lower bound in expectation; None where it was
            not asked for.
    """

    amortised: Tensor
    refined: Tensor
    log_likelihood: Tensor | None = None

    @property
    def gap(self) -> Tensor:
        """(N,) the amortisation gap: what a better encoder of the same family could gain."""
        return self.refined - self.amortised

    @property
    def approximation(self) -> Tensor:
        """(N,) the approximation gap: what only a richer family of posteriors could gain.

        Raises:
            OptionError: log p(x) was not asked for.
        """
        if self.log_likelihood is None:
            raise OptionError("The approximation gap needs log p(x): pass annealing=Annealing().")
        return self.log_likelihood - self.refined


def inference_gaps(
    model: LatentModel,
    x: Tensor,
    *,
    steps: int = 100,
    samples: int = 100,
    annealing: Annealing | None = None,
    condition: Tensor | None = None,
) -> Gaps:
    """Measure the inference gaps of a model whose posterior is a diagonal Gaussian.

    log p(x) − ELBO = approximation gap + amortisation gap.

    Args:
        model: Trained.
        x: (N, *D) in the data's units; all are held at once.
        steps: Of the refinement.
        samples: Draws of z for each bound.
        annealing: How log p(x) is found for the approximation gap, by chains that start at the
            refined posterior; None leaves it out.
        condition: (N, C), for a conditional model.

    Raises:
        UnsupportedError: The posterior is none of diagonal Gaussians.

    Reference:
        Cremer, Li & Duvenaud, Inference Suboptimality in Variational Autoencoders, arXiv
        1801.03558.
    """
    with answering(model):
        u = model.scaling(x)
        q = model.infer(u, condition)
        if not isinstance(q, DiagonalNormal):
            raise UnsupportedError(
                f"The inference gaps are measured of diagonal Gaussians and this posterior is a "
                f"{type(q).__name__}: use a recipe such as vae."
            )
        pairs = 1 << max(q.event_shape.numel() - 1, 0).bit_length()
        signs = hadamard_signs(pairs, q.event_shape).to(q.loc).unsqueeze(1)

        def log_joint(z: Tensor) -> Tensor:
            return model.log_joint(u, z, condition)

        better = refined(q, log_joint, signs, steps)
        log_p = None
        if annealing is not None:
            path = Path(better, log_joint, len(u), better.scale, better.scale)
            log_p = along(path, annealing, annealing.chains).log_likelihood
        return Gaps(_bound(q, log_joint, samples), _bound(better, log_joint, samples), log_p)


def _bound(q: DiagonalNormal, log_joint: Callable[[Tensor], Tensor], samples: int) -> Tensor:
    """E_q[log p(x, z)] + entropy, over pairs of opposite draws."""
    noise = torch.randn(max(samples // 2, 1), *q.loc.shape).to(q.loc)
    z = q.loc + q.scale * torch.cat([noise, -noise])
    return log_joint(z).mean(0) + q.entropy()
