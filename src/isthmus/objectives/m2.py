"""The bound of semi-supervised models, its classes summed out."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, final

import torch
from torch import Tensor

from isthmus.data import DataDriven, Source
from isthmus.distributions import LabelledNormal
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.posteriors import LabelledGaussian, Posterior
from isthmus.priors import JointPrior, Prior
from isthmus.schedules import Schedule


def _labelled(posterior: Posterior, prior: Prior) -> str | None:
    if isinstance(posterior, LabelledGaussian) and isinstance(prior, JointPrior):
        return None
    return (
        "The objective 'm2' sums over the classes of q(y|x) q(z|x, y), and got the posterior "
        f"{type(posterior).__name__} and the prior {type(prior).__name__}: use the posterior "
        "'labelled' with the prior 'joint' (recipe m2), or the objective 'elbo'."
    )


@final
@OBJECTIVES.register("m2")
class M2(Objective, DataDriven):
    r"""−U(x) where the label is missing, −L(x, y) where it is known, and alpha · −log q(y|x) there.

    .. math::
        -L(x, y) = E_{q(z|x,y)}[-\log p(x|y,z)] + KL(q(z|x,y) \| p(z)) - \log p(y)

        -U(x) = \sum_y q(y|x) (-L(x, y)) - H(q(y|x))

    The sum over y is taken in full: no class is drawn. The classifier's loss is averaged over the
    labelled data, and weighs alpha N against the sum of the bounds over all N.

    Args:
        alpha: Of the classifier's loss; the paper's weight of 0.1 N is 0.1 here.
        beta: Of the rate, a number or a schedule.
        samples: S, draws of z per datum and class.

    Reference:
        Kingma et al., Semi-Supervised Learning with Deep Generative Models, arXiv 1406.5298.
    """

    weighted = ("rate",)
    requires = (_labelled,)
    share: Tensor

    def __init__(self, alpha: float = 3.0, beta: float | Schedule = 1.0, samples: int = 1) -> None:
        super().__init__(samples, beta)
        self.alpha = alpha
        self.register_buffer("share", torch.ones(()))

    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Count the labels."""
        conditions = [batch.condition for batch in source.chunks(65536)]
        labelled = sum(int((c.sum(1) > 0).sum()) for c in conditions if c is not None)
        self.share.fill_(max(labelled, 1) / len(source))
        return [f"{labelled:,} of {len(source):,} training data are labelled"]

    def forward(self, evidence: Evidence) -> Loss:
        q = cast(LabelledNormal, evidence.q)
        distortion = (q.classes * self._distortion(evidence, q)).sum(-1)
        terms = {"distortion": distortion, "rate": evidence.rate}
        if q.known is None:
            return self.weigh(evidence, terms)
        missed = -(q.known * q.logits.log_softmax(-1)).sum(-1) / self.share
        weights = {"classification": self.alpha}
        return self.weigh(evidence, {**terms, "classification": missed}, weights=weights)

    def _distortion(self, evidence: Evidence, q: LabelledNormal) -> Tensor:
        """E_{q(z|x,y)}[−log p(x|y, z)] (B, K) for every y."""
        samples = len(evidence.z)
        z = q.normal.rsample(torch.Size((samples,)))
        y = torch.eye(z.shape[-2], dtype=z.dtype, device=z.device).expand(*z.shape[:-1], -1)
        codes = torch.cat([z, y], -1).transpose(1, 2)  # (S, K, B, Z)
        log_px = evidence.generate(codes.flatten(0, 1)).log_prob(evidence.x)
        return -log_px.unflatten(0, (samples, -1)).mean(0).T
