"""The contractive penalty: how fast the code moves with the datum."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective, Requirement
from isthmus.objectives.slopes import check_probes, squared_slope
from isthmus.posteriors import DiscretePosterior, Posterior, RefinedPosterior
from isthmus.priors import Prior
from isthmus.schedules import Schedule


def _smooth(posterior: Posterior, prior: Prior) -> str | None:
    if isinstance(posterior, (DiscretePosterior, RefinedPosterior)):
        return (
            "The objective 'contractive' needs a code whose slope in x the encoder gives, and "
            f"{type(posterior).__name__} has none: use the posterior 'delta' or 'diagonal', or "
            "the objective 'reconstruction'."
        )
    return None


@final
@OBJECTIVES.register("contractive")
class Contractive(Objective):
    r"""−log p(x|z) + beta · :math:`\|\partial\, E[z|x] / \partial x\|_F^2`, x in scaled units.

    Args:
        beta: Weight of the contraction.
        probes: None takes the whole Jacobian, one backward pass per latent dimension; a number
            estimates it without bias from so many random directions.

    Raises:
        OptionError: There is not even one probe.

    Reference:
        Rifai et al., Contractive Auto-Encoders: Explicit Invariance During Feature Extraction,
        ICML 2011.
    """

    needs_density = False
    weighted = ("contraction",)
    requires: ClassVar[tuple[Requirement, ...]] = (_smooth,)

    def __init__(self, beta: float | Schedule = 0.1, probes: int | None = None) -> None:
        super().__init__(1, beta)
        self.probes = check_probes(probes)

    def forward(self, evidence: Evidence) -> Loss:
        def mean_code(x: Tensor) -> Tensor:
            return evidence.infer(x).mean.flatten(1)

        contraction = squared_slope(mean_code, evidence.x, self.probes, torch.is_grad_enabled())
        return self.weigh(
            evidence, {"distortion": evidence.mean_distortion, "contraction": contraction}
        )
