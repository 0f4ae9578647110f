"""How far an encoder's guess stays behind the best posterior of its family, datum by datum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from isthmus.distributions import DiagonalNormal
from isthmus.errors import UnsupportedError
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
    """

    amortised: Tensor
    refined: Tensor

    @property
    def gap(self) -> Tensor:
        """(N,) the amortisation gap: what a better encoder of the same family could gain."""
        return self.refined - self.amortised


def inference_gaps(
    model: LatentModel,
    x: Tensor,
    *,
    steps: int = 100,
    samples: int = 100,
    condition: Tensor | None = None,
) -> Gaps:
    """Measure the amortisation gap of a model whose posterior is a diagonal Gaussian.

    Args:
        model: Trained.
        x: (N, *D) in the data's units; all are held at once.
        steps: Of the refinement.
        samples: Draws of z for each bound.
        condition: (N, C), for a conditional model.

    Raises:
        UnsupportedError: The posterior is none of diagonal Gaussians.

    Reference:
        Cremer, Li & Duvenaud, Inference Suboptimality in Variational Autoencoders, arXiv
        1801.03558.
    """
    training = model.training
    model.eval()
    try:
        u = model.scaling(x)
        with torch.no_grad():
            q = model.infer(u, condition)
        if not isinstance(q, DiagonalNormal):
            raise UnsupportedError(
                f"The amortisation gap is measured of diagonal Gaussians and this posterior is a "
                f"{type(q).__name__}: use a recipe such as vae."
            )
        pairs = 1 << max(q.event_shape.numel() - 1, 0).bit_length()
        signs = hadamard_signs(pairs, q.event_shape).to(q.loc).unsqueeze(1)

        def log_joint(z: Tensor) -> Tensor:
            return model.log_joint(u, z, condition)

        better = refined(q, log_joint, signs, steps)
        with torch.no_grad():
            return Gaps(_bound(q, log_joint, samples), _bound(better, log_joint, samples))
    finally:
        model.train(training)


def _bound(q: DiagonalNormal, log_joint: Callable[[Tensor], Tensor], samples: int) -> Tensor:
    """E_q[log p(x, z)] + entropy, over pairs of opposite draws."""
    noise = torch.randn(max(samples // 2, 1), *q.loc.shape).to(q.loc)
    z = q.loc + q.scale * torch.cat([noise, -noise])
    return log_joint(z).mean(0) + q.entropy()
