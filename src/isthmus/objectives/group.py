"""The bound of groups whose members share a part of their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Loss, Objective
from isthmus.posteriors import DiagonalGaussian, Posterior
from isthmus.priors import Prior, StandardNormal
from isthmus.registry import Registry
from isthmus.schedules import Schedule

# (mean (B, C), variance (B, C), shares (B, B), whose rows are 1 / n for the n members of the
# datum's group and 0 elsewhere) -> mean and variance (B, C) of the group that each datum is in.
SHARINGS = Registry("sharing")


@SHARINGS.register("average")
def average(mean: Tensor, variance: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """The averages of the members' means and variances."""
    return shares @ mean, shares @ variance


@SHARINGS.register("product")
def product(mean: Tensor, variance: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """The product of the members' densities: precisions add up, means are weighted by them."""
    precision = shares @ variance.reciprocal()
    members = (shares > 0).sum(1, keepdim=True)
    return shares @ (mean / variance) / precision, (members * precision).reciprocal()


def groups_of(condition: Tensor, zeros_alone: bool) -> Tensor:
    """(B, B) whether two data are of one group: their conditions (B, C) are the same.

    Args:
        condition: (B, C).
        zeros_alone: A row of zeros stands for no group: that datum is alone.
    """
    same = (condition.unsqueeze(1) == condition).all(-1)
    if not zeros_alone:
        return same
    alone = (condition == 0).all(-1)
    itself = torch.eye(len(condition), dtype=torch.bool, device=condition.device)
    return (same & ~alone) | itself


def _gaussian(posterior: Posterior, prior: Prior) -> str | None:
    if isinstance(posterior, DiagonalGaussian) and isinstance(prior, StandardNormal):
        return None
    return (
        "The objective 'group' joins Gaussians of the members of a group, and got the posterior "
        f"{type(posterior).__name__} and the prior {type(prior).__name__}: use the posterior "
        "'diagonal' with the prior 'standard-normal', or the objective 'elbo'."
    )


@final
@OBJECTIVES.register("group")
class Group(Objective):
    r"""The bound on log p of each group in the batch, as a mean over data.

    .. math::
        \sum_{i \in g} (-\log p(x_i | c_g, s_i) + \beta KL(q(s_i|x_i) \| p))
        + \beta KL(q(c_g|x_g) \| p), \qquad c_g \sim q(c_g|x_g)

    The first `content` numbers of a code are c, one draw for a group; the others are s, one for a
    datum. Data of the same condition are a group; without a condition each is its own, and the
    bound is the ELBO.

    Args:
        latent_shape: Z, one axis.
        content: How many numbers are shared; 0 takes half.
        sharing: How q(c_g|x_g) follows from the members': "average" or "product".
        zeros_alone: Whether a condition of zeros stands for no group.
        beta: Of both rates, a number or a schedule.
        samples: S.

    Raises:
        OptionError: The code has more than one axis, or fewer numbers than are to be shared.

    Reference:
        Bouchacourt et al., Multi-Level Variational Autoencoder, arXiv 1705.08841 (product);
        Hosoya, Group-based Learning of Disentangled Representations, arXiv 1809.02847 (average).
    """

    weighted = ("rate_style", "rate_content")
    requires = (_gaussian,)

    def __init__(
        self,
        latent_shape: Sequence[int],
        content: int = 0,
        sharing: str = "average",
        zeros_alone: bool = False,
        beta: float | Schedule = 1.0,
        samples: int = 1,
    ) -> None:
        super().__init__(samples, beta)
        self.content = content or max(1, latent_shape[0] // 2)
        if len(latent_shape) != 1 or not 1 <= self.content <= latent_shape[0]:
            raise OptionError(
                f"The objective 'group' cannot share {self.content} numbers of a code of shape "
                f"{tuple(latent_shape)}: give content= between 1 and the latent_dim, or use the "
                "objective 'elbo'."
            )
        self.zeros_alone = zeros_alone
        self.share = SHARINGS[sharing].factory

    def forward(self, evidence: Evidence) -> Loss:
        if evidence.condition is None:
            members = torch.eye(len(evidence.x), device=evidence.x.device) > 0
        else:
            members = groups_of(evidence.condition, self.zeros_alone)
        q = self._shared(cast(DiagonalNormal, evidence.q), members)
        log_px = evidence.generate(self._draw(q, members, len(evidence.z))).log_prob(evidence.x)
        rate = kl_divergence(q.elementwise(), cast(DiagonalNormal, evidence.p).elementwise())
        content, style = rate.split([self.content, rate.shape[1] - self.content], 1)
        # Each member pays its part, so that a group pays for its content once.
        terms = {
            "distortion": -log_px.mean(0),
            "rate_style": style.sum(1),
            "rate_content": content.sum(1) / members.sum(1),
        }
        return self.weigh(evidence, terms)

    def _shared(self, q: DiagonalNormal, members: Tensor) -> DiagonalNormal:
        """Q with the content of each datum's group."""
        width = self.content
        shares = members.to(q.loc.dtype) / members.sum(1, keepdim=True)
        mean, variance = self.share(q.loc[:, :width], q.variance[:, :width], shares)
        loc = torch.cat([mean, q.loc[:, width:]], 1)
        return DiagonalNormal(loc, torch.cat([variance.sqrt(), q.stddev[:, width:]], 1), 1)

    def _draw(self, q: DiagonalNormal, members: Tensor, samples: int) -> Tensor:
        """Z (S, B, Z), the content the same for all members of a group."""
        noise = torch.randn(samples, *q.loc.shape, dtype=q.loc.dtype, device=q.loc.device)
        places = torch.arange(len(members), 0, -1, device=members.device)
        first = (members * places).argmax(1)
        shared = torch.cat([noise[:, first, : self.content], noise[:, :, self.content :]], 2)
        return torch.addcmul(q.loc, shared, q.scale)
