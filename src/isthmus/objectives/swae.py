"""The objective that holds the codes to the prior by the sliced Wasserstein distance."""

from __future__ import annotations

from typing import final

from isthmus.distances import random_directions, squared_sliced_wasserstein
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.objectives.draws import prior_draws
from isthmus.objectives.requirements import drawable_codes


@final
@OBJECTIVES.register("swae")
class Swae(Objective):
    """distortion + scale · SW²(q(z), p(z)), along directions drawn anew for every batch.

    Args:
        scale: Nats per unit of the squared distance.
        projections: Number of directions.
        samples: S, draws of z per datum.

    Raises:
        OptionError: There is not even one direction.

    Reference:
        Kolouri et al., Sliced Wasserstein Auto-Encoders, arXiv 1804.01947.
    """

    of_batches = True
    needs_density = False
    requires = (drawable_codes,)

    def __init__(self, scale: float = 10.0, projections: int = 50, samples: int = 1) -> None:
        super().__init__(samples)
        if projections < 1:
            raise OptionError(f"projections must be at least 1, got {projections}.")
        self.weights = {"sliced_wasserstein": scale}
        self.projections = projections

    def forward(self, evidence: Evidence) -> Loss:
        z, drawn = evidence.z.flatten(2), prior_draws(evidence).flatten(2)
        directions = random_directions(self.projections, z)
        distance = squared_sliced_wasserstein(z, drawn, directions).mean().expand(z.shape[1])
        return self.weigh(
            evidence,
            {"distortion": evidence.mean_distortion, "sliced_wasserstein": distance},
            weights=self.weights,
        )
