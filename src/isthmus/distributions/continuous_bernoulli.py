r"""Independent continuous Bernoulli elements: binary cross-entropy as a density on [0, 1].

With the logit :math:`\eta`, :math:`p(x) = e^{\eta x} / Z(\eta)` and :math:`Z = (e^\eta - 1) /
\eta`. PyTorch's own goes through probabilities, which are clamped in single precision (a logit of
50 becomes 16) and replaced by a short series around one half; here everything is a function of the
logit, and the gradient of log Z is the mean itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.distributions import constraints

from isthmus.distributions.event import EventDistribution

# Below this |logit| the closed forms cancel; there the series below are exact to 1e-12.
_SERIES_BELOW = 1.0
_TINY = 1e-30


def _away_from_zero(logits: Tensor) -> Tensor:
    return torch.copysign(logits.abs().clamp_min(_SERIES_BELOW), logits)


def _horner(u: Tensor, coefficients: Sequence[float]) -> Tensor:
    """The polynomial in u whose coefficients are given from the highest power down."""
    total = coefficients[0] * u + coefficients[1]
    for c in coefficients[2:]:
        total = total * u + c
    return total


_MEAN_SERIES = (
    1 / 74724249600,
    -691 / 1307674368000,
    1 / 47900160,
    -1 / 1209600,
    1 / 30240,
    -1 / 720,
    1 / 12,
)
_VARIANCE_SERIES = tuple((13 - 2 * k) * c for k, c in enumerate(_MEAN_SERIES))


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    r"""The mean of a continuous Bernoulli, :math:`\frac12 + \frac12\coth\frac\eta2 - \frac1\eta`.

    Args:
        logits: Any shape.

    Returns:
        The same shape, within (0, 1).
    """
    safe = _away_from_zero(logits)
    # coth(a / 2) is 1 / (2 sigmoid(a) - 1), and a sigmoid costs a sixth of a tanh.
    exact = (4.0 * safe.sigmoid() - 2.0).reciprocal() - safe.reciprocal()
    series = logits * _horner(logits.square(), _MEAN_SERIES)
    return 0.5 + torch.where(logits.abs() < _SERIES_BELOW, series, exact)


def continuous_bernoulli_variance(logits: Tensor) -> Tensor:
    r"""The variance of a continuous Bernoulli, :math:`1/\eta^2 - 1/(4 \sinh^2(\eta/2))`.

    Args:
        logits: Any shape.

    Returns:
        The same shape, at most 1/12.
    """
    safe = _away_from_zero(logits)
    exact = safe.reciprocal().square() - 0.25 / (0.5 * safe).sinh().square()
    series = _horner(logits.square(), _VARIANCE_SERIES)
    return torch.where(logits.abs() < _SERIES_BELOW, series, exact)


class _LogNormaliser(torch.autograd.Function):
    """log Z(logit), whose derivative is the mean; autograd would round it away near 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor) -> Tensor:
        size = logits.abs().clamp_min_(_TINY)
        return (torch.expm1(-size).neg_() / size).log_() + logits.relu()

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (logits,) = ctx.saved_tensors
        return grads[0] * continuous_bernoulli_mean(logits)


@final
class ContinuousBernoulli(EventDistribution):
    """Independent elements on [0, 1] with density proportional to exp(logit * x).

    Args:
        logits: Batch and event shape.
        event_dims: How many of the last axes are the event.

    Reference:
        Loaiza-Ganem, Cunningham. The continuous Bernoulli: fixing a pervasive error in variational
        autoencoders. 1907.06845.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits = logits
        super().__init__(logits.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return continuous_bernoulli_mean(self.logits)

    @property
    def mode(self) -> Tensor:
        """0 or 1 by the sign of the logit, as the density is monotone; 0.5 where it is flat."""
        return 0.5 * (self.logits.sign() + 1.0)

    @property
    def variance(self) -> Tensor:
        return continuous_bernoulli_variance(self.logits)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._sum(value * self.logits - _LogNormaliser.apply(self.logits))

    def entropy(self) -> Tensor:
        return self._sum(_LogNormaliser.apply(self.logits) - self.logits * self.mean)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """By the inverse distribution function where the density falls, mirrored where it rises."""
        with torch.no_grad():
            shape = torch.Size(sample_shape) + self.shape
            uniform = torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
            size = self.logits.abs().clamp_min(_TINY)
            falling = (torch.log1p(uniform * torch.expm1(-size)) / -size).clamp(0.0, 1.0)
            return torch.where(self.logits > 0, 1.0 - falling, falling)
