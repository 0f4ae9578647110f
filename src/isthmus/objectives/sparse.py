"""What a sparse code is trained by: reconstruction, the revival of dead latents, nested widths."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, final

import torch
from torch import Tensor

from isthmus.distributions import SparseDelta
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective, Requirement
from isthmus.posteriors import Posterior, SparsePosterior
from isthmus.priors import Prior


def _sparse_code(posterior: Posterior, prior: Prior) -> str | None:
    if isinstance(posterior, SparsePosterior):
        return None
    return (
        f"The objective 'sparse' revives dead latents of a sparse code, and "
        f"{type(posterior).__name__} is none: use the posterior 'topk', or the objective "
        "'reconstruction'."
    )


@final
@OBJECTIVES.register("sparse")
class SparseReconstruction(Objective):
    r"""−log p(x|z), the posterior's own price, and what the code's kind asks of the decoder.

    - Revival: :math:`\frac{1}{2} \|e - \hat e\|^2`, e what the code leaves of x and :math:`\hat e`
      what the decoder makes of the dead latents' outputs.
    - Gate: −log p(x|gate), whose gradient reaches the gate and not the decoder.
    - Nested: the sum over `widths` of −log p(x|z_{1..m}): the first latents must do on their own.

    Args:
        revival: Weight of the revival.
        widths: Shares of Z, each a prefix of the code that must rebuild x as well.

    Raises:
        OptionError: A width that is no share.

    Reference:
        Gao et al., arXiv 2406.04093 (revival); Rajamanoharan et al., arXiv 2404.16014 (gate);
        Bussmann et al., arXiv 2503.17547 (nested).
    """

    needs_density = False
    requires: ClassVar[tuple[Requirement, ...]] = (_sparse_code,)

    def __init__(self, revival: float = 1 / 32, widths: Sequence[float] = ()) -> None:
        super().__init__()
        if not all(0 < width < 1 for width in widths):
            raise OptionError(
                f"widths={list(widths)} must be shares of the code between 0 and 1, such as "
                "0.25,0.5; the whole code always counts."
            )
        self.revival = revival
        self.needs_mean = revival != 0
        self.widths = tuple(widths)

    def forward(self, evidence: Evidence) -> Loss:
        q = evidence.q
        if not isinstance(q, SparseDelta):
            raise OptionError(f"The objective 'sparse' got {type(q).__name__}: use 'topk'.")
        terms = {"distortion": evidence.mean_distortion}
        if self.revival:
            terms["revival"] = self.revival * _revival(evidence, q.revival)
        if q.gate is not None:
            terms["gate"] = _for_the_code(q.gate, lambda z: _distortion(evidence, z[None])[0])
        if self.widths:
            terms["nested"] = _distortion(evidence, _prefixes(evidence.z[0], self.widths)).sum(0)
        return self.weigh(evidence, terms)


def _distortion(evidence: Evidence, z: Tensor) -> Tensor:
    """−log p(x|z) (S, B) of codes z (S, B, Z)."""
    return -evidence.generate(z).log_prob(evidence.x)


def _revival(evidence: Evidence, said: Tensor | None) -> Tensor:
    """(B,) half the squared error of what dead latents make of the residual; 0 where none speak."""
    if said is None:
        return torch.zeros_like(evidence.mean_distortion)
    left = (evidence.x - evidence.px.mean[0]).detach()
    made = evidence.generate(torch.stack([said, torch.zeros_like(said)])).mean
    error = (left - (made[0] - made[1])).flatten(1).square().sum(1)
    return 0.5 * error * (said != 0).any(1)


def _prefixes(z: Tensor, widths: Sequence[float]) -> Tensor:
    """(M, B, Z): z with all but its first latents at 0, for each width."""
    first = torch.arange(z.shape[-1], device=z.device)
    return torch.stack([z * (first < math.ceil(share * z.shape[-1])) for share in widths])


def _for_the_code(z: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """`loss(z)` (B,), whose gradient reaches z alone, whatever else the loss depends on."""
    if not (torch.is_grad_enabled() and z.requires_grad):
        return loss(z)
    apart = z.detach().requires_grad_()
    value = loss(apart)
    (slope,) = torch.autograd.grad(value.sum(), apart)
    along = (slope * z).flatten(1).sum(1)
    return value.detach() + along - along.detach()
