"""Independent negative binomial elements, for counts that vary more than a Poisson's."""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import Gamma, constraints

from isthmus.distributions.event import EventDistribution
from isthmus.maths import stirling_remainder


@final
class NegativeBinomial(EventDistribution):
    r"""Independent counts with mean m and variance :math:`m + m^2 / r`; a Poisson as r grows.

    .. math::
        \log p(x) = \log\frac{\Gamma(r + x)}{\Gamma(r)\,x!} + r \log\frac{r}{r + m}
        + x \log\frac{m}{r + m}

    is written with log-gamma's remainder after Stirling's formula, so that nothing of the order of
    r log r has to cancel:

    .. math::
        (r + x) \log\frac{r + x}{r + m} - \tfrac12 \log\frac{r + x}{r} - x + x \log m - \log x!
        + c(r + x) - c(r)

    Args:
        log_mean: log m, batch and event shape.
        inverse_dispersion: r > 0, the same shape, or any that broadcasts to it.
        event_dims: How many of the last axes are the event.

    Reference:
        Lopez et al. Deep generative modeling for single-cell transcriptomics. Nature Methods 2018,
        the model scVI.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "log_mean": constraints.real,
        "inverse_dispersion": constraints.positive,
    }

    def __init__(self, log_mean: Tensor, inverse_dispersion: Tensor, event_dims: int = 1) -> None:
        self.log_mean = log_mean
        self.inverse_dispersion = inverse_dispersion
        super().__init__(log_mean.shape, event_dims)

    @property
    def mean(self) -> Tensor:
        return self.log_mean.exp()

    @property
    def mode(self) -> Tensor:
        """floor(m (r - 1) / r) where r > 1, else 0."""
        r = self.inverse_dispersion
        return (self.mean * (r - 1.0) / r).clamp_min(0.0).floor()

    @property
    def variance(self) -> Tensor:
        return self.mean + self.mean.square() / self.inverse_dispersion

    def log_prob(self, value: Tensor) -> Tensor:
        r = self.inverse_dispersion
        value = value.to(self.log_mean.dtype)
        mean = self.mean
        total = r + value
        excess = value - mean
        # log((r + x) / (r + m)), each side by the log1p that does not cancel. One is a relu and the
        # other a clamp because at x = m exactly one of the two must pass the gradient.
        log_ratio = torch.log1p(excess.relu() / (r + mean)) - torch.log1p(
            (-excess).clamp_min(0.0) / total
        )
        remainder = stirling_remainder(total) - stirling_remainder(r)
        per_element = (
            total * log_ratio
            - 0.5 * torch.log1p(value / r)
            + value * (self.log_mean - 1.0)
            + remainder
        )
        return self._sum(per_element) - self._sum((value + 1.0).lgamma())

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """A Poisson whose rate is Gamma distributed."""
        with torch.no_grad():
            r = self.inverse_dispersion.expand_as(self.log_mean)
            rates = Gamma(r, r * (-self.log_mean).exp(), validate_args=False).sample(
                torch.Size(sample_shape)
            )
            return torch.poisson(rates)
