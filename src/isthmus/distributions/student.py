"""The diagonal Student's t: heavier tails than any normal's."""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.kl import register_kl

from isthmus.distributions.location_scale import LocationScale
from isthmus.distributions.normal import DiagonalNormal

_LOG_ROOT_TAU = 0.5 * math.log(2.0 * math.pi)


@final
class DiagonalStudent(LocationScale):
    """Independent elements loc + scale · t, t with `df` degrees of freedom.

    Args:
        loc: Batch and event shape.
        scale: Positive; the same shape, or any that broadcasts to it.
        df: Positive, any shape that broadcasts to the event; below 2 there is no variance.
        event_dims: How many of the last axes are the event.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        **LocationScale.arg_constraints,
        "df": constraints.positive,
    }

    def __init__(self, loc: Tensor, scale: Tensor, df: Tensor, event_dims: int = 1) -> None:
        self.df = df
        super().__init__(loc, scale, event_dims)

    @property
    def variance(self) -> Tensor:
        """scale² df / (df − 2), and infinite where df is at most 2."""
        finite = self.df / (self.df - 2.0).clamp(min=0.0)
        return (self.scale.square() * finite).expand_as(self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        squared = ((value - self.loc) / self.scale).square()
        tail = 0.5 * (self.df + 1.0) * torch.log1p(squared / self.df)
        return -self._sum(tail + self.scale.log() + self._log_beta())

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1.0)
        spread = half * (half.digamma() - (0.5 * self.df).digamma()) + self._log_beta()
        return self._sum((spread + self.scale.log()).expand_as(self.loc))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape) + self.shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        # Chi-square, whose gradient by the degrees of freedom is implicit.
        chi2 = 2.0 * torch._standard_gamma((0.5 * self.df).expand(shape))
        tiny = torch.finfo(chi2.dtype).tiny
        return torch.addcmul(self.loc, noise * (self.df / chi2.clamp(min=tiny)).sqrt(), self.scale)

    def _log_beta(self) -> Tensor:
        """Log of sqrt(df) B(df / 2, 1 / 2), the standard density's inverse height."""
        half = 0.5 * self.df
        gammas = half.lgamma() + 0.5 * math.log(math.pi) - (half + 0.5).lgamma()
        return gammas + 0.5 * self.df.log()


@register_kl(DiagonalStudent, DiagonalNormal)
def _kl_student_normal(q: DiagonalStudent, p: DiagonalNormal) -> Tensor:
    square = (q.variance + (q.loc - p.loc).square()) / p.scale.square()
    return q._sum(0.5 * square + p.scale.log() + _LOG_ROOT_TAU) - q.entropy()
