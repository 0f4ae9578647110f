"""The objective that judges reconstructions by their structural similarity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from isthmus.data import DataDriven, Source
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.extent import measured
from isthmus.schedules import Schedule
from isthmus.ssim import multi_scale_similarity


@final
@OBJECTIVES.register("ms-ssim")
class MsSsim(Objective, DataDriven):
    """scale · (1 − MS-SSIM(x, E[x|z])) + beta · rate, for images.

    The similarity is that of images with values in [0, 1]: what the model sees is brought there by
    the range of the training data. −log p(x|z) is shown and not minimised.

    Args:
        shape: D = (channels, height, width).
        scale: Nats per unit of dissimilarity.
        beta: The rate's weight, a number or a schedule.
        window: Side of the Gaussian window; images that hold few of them use fewer scales.
        samples: S, draws of z per datum.

    Raises:
        OptionError: The data are no images.

    Reference:
        Snell et al., Learning to Generate Images with Perceptual Similarity Metrics, arXiv
        1511.06409.
    """

    weighted = ("rate",)
    needs_mean = True

    def __init__(
        self,
        shape: Sequence[int],
        scale: float = 100.0,
        beta: float | Schedule = 1.0,
        window: int = 11,
        samples: int = 1,
    ) -> None:
        super().__init__(samples, beta)
        if len(shape) != 3 or min(shape[1:]) < 2:
            raise OptionError(
                f"The objective 'ms-ssim' compares images (channels, height, width), and the data "
                f"have the shape {tuple(shape)}: use the objective 'elbo'."
            )
        if window < 1 or window % 2 == 0:
            raise OptionError(f"The window's side is an odd number, got {window}.")
        self.weights = {"dissimilarity": scale}
        self.window = window
        self.register_buffer("lowest", torch.zeros(()))
        self.register_buffer("extent", torch.ones(()))

    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Take the range of the training data as the model sees them."""
        lowest, extent = self.get_buffer("lowest"), self.get_buffer("extent")
        ends = measured(source, scale, lowest)
        lowest.copy_(ends[0])
        extent.copy_((ends[1] - ends[0]).clamp(min=1e-6))
        return []

    def forward(self, evidence: Evidence) -> Loss:
        x, means = evidence.x, evidence.px.mean
        mean, target = self._to_unit(means), self._to_unit(x).expand_as(means)
        alike = multi_scale_similarity(mean.flatten(0, 1), target.flatten(0, 1), self.window)
        terms = {
            "dissimilarity": 1.0 - alike.view(means.shape[:2]).mean(0),
            "rate": evidence.rate,
        }
        shown = {"distortion": evidence.mean_distortion.detach()}
        return self.weigh(evidence, terms, weights=self.weights, shown=shown)

    def _to_unit(self, values: Tensor) -> Tensor:
        return (values - self.get_buffer("lowest")) / self.get_buffer("extent")
