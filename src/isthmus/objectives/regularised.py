"""Regularised autoencoders: a code kept small, and a decoder kept smooth by one of two means."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective, Requirement
from isthmus.objectives.slopes import check_probes, squared_slope
from isthmus.posteriors import Posterior
from isthmus.priors import Prior
from isthmus.schedules import Schedule


def _on_the_line(posterior: Posterior, prior: Prior) -> str | None:
    if posterior.space == "real":
        return None
    return (
        f"A regularised objective keeps codes near 0, and those of {type(posterior).__name__} live "
        f"in the space {posterior.space!r}: use the posterior 'delta', or the objective "
        "'reconstruction'."
    )


@final
@OBJECTIVES.register("rae")
class Regularised(Objective):
    r"""−log p(x|z) + beta · ½‖z‖² + smoothness · :math:`\|\partial\, E[x|z] / \partial z\|_F^2`.

    Args:
        beta: Weight of the code's norm.
        smoothness: Weight of the decoder's slope; 0 leaves it to the weight decay of training.
        probes: Random directions that estimate the slope; None takes it exactly, one backward pass
            per element of x.

    Raises:
        OptionError: There is not even one probe.

    Reference:
        Ghosh et al., From Variational to Deterministic Autoencoders, arXiv 1903.12436.
    """

    needs_density = False
    weighted = ("code_norm",)
    requires: ClassVar[tuple[Requirement, ...]] = (_on_the_line,)

    def __init__(
        self, beta: float | Schedule = 1e-4, smoothness: float = 0.0, probes: int | None = 1
    ) -> None:
        super().__init__(1, beta)
        self.smoothness = smoothness
        self.needs_mean = smoothness != 0
        self.probes = check_probes(probes)

    def forward(self, evidence: Evidence) -> Loss:
        z = evidence.z[0]
        terms = {
            "distortion": evidence.mean_distortion,
            "code_norm": 0.5 * z.flatten(1).square().sum(1),
        }
        if self.smoothness:

            def mean_datum(z: Tensor) -> Tensor:
                return evidence.generate(z[None]).mean[0].flatten(1)

            slope = squared_slope(mean_datum, z, self.probes, torch.is_grad_enabled())
            terms["slope"] = self.smoothness * slope
        return self.weigh(evidence, terms)
