"""Whether another training finds the same latents: what only several seeds can show."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from isthmus.errors import UnsupportedError
from isthmus.evaluation.columns import Column
from isthmus.evaluation.measures.base import measure
from isthmus.evaluation.measures.tables import LATENT
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats
from isthmus.metrics.disentanglement import udr
from isthmus.metrics.estimates import Estimate

# As many data as the reference compares the codes of.
COMPARED = 1000


@measure(
    "stability",
    Column(
        "udr",
        "UDR",
        "",
        1,
        3,
        "How alike the latents of other seeds are up to order and sign; 1 is the same.",
    ),
    table=LATENT,
)
def stability(subject: Subject) -> Answers:
    """Whether trainings from other seeds find the same latents (of one model it cannot be said)."""
    raise UnsupportedError("it takes several trainings of a model: isthmus compare --seeds 3")


def over_seeds(codes: Sequence[Floats], rates: Sequence[Floats] | None) -> Estimate:
    """The mean UDR of the trainings of one model, and its standard error over them.

    Args:
        codes: (N, Z) of each training, of the same held-out data.
        rates: (Z,) nats by latent of each, or None where a rate does not split.
    """
    scores = udr([z[:COMPARED] for z in codes], rates).scores
    error = float(scores.std(ddof=1) / math.sqrt(len(scores))) if len(scores) > 2 else math.nan
    return Estimate(float(np.mean(scores)), error)
