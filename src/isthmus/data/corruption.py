"""Noise put on the data before a denoising model sees them; only in training, as dropout is."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.registry import Part, Registry

CORRUPTIONS = Registry("corruption")


def _check_rate(rate: float) -> None:
    if not 0 <= rate <= 1:
        raise OptionError(f"The corruption rate {rate} is no probability; expected 0 to 1.")


@CORRUPTIONS.register("identity")
@final
class Identity(Part, nn.Module):
    """No corruption."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """X itself."""
        return x


@CORRUPTIONS.register("gaussian")
@final
class Gaussian(Part, nn.Module):
    """Adds normal noise: x + sigma e, e ~ N(0, 1).

    Args:
        sigma: Standard deviation, in the units of x.

    Raises:
        OptionError: sigma is negative.

    Reference:
        Vincent et al., "Stacked denoising autoencoders" (2010),
        https://jmlr.org/papers/v11/vincent10a.html.
    """

    def __init__(self, sigma: float = 0.3) -> None:
        super().__init__()
        if sigma < 0:
            raise OptionError(f"The corruption's sigma is {sigma}; expected 0 or more.")
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """X (..., *D) with noise while training, else x."""
        return torch.add(x, torch.randn_like(x), alpha=self.sigma) if self.training else x


@CORRUPTIONS.register("masking")
@final
class Masking(Part, nn.Module):
    """Sets elements to 0, each with the same probability; the others are not rescaled.

    Args:
        rate: The probability.

    Raises:
        OptionError: The rate is no probability.

    Reference:
        Vincent et al., "Extracting and composing robust features with denoising autoencoders"
        (2008), https://doi.org/10.1145/1390156.1390294.
    """

    def __init__(self, rate: float = 0.25) -> None:
        super().__init__()
        _check_rate(rate)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """X (..., *D) with holes while training, else x."""
        return x * (torch.rand_like(x) >= self.rate) if self.training else x


@CORRUPTIONS.register("salt-and-pepper")
@final
class SaltAndPepper(Part, nn.Module):
    """Sets elements to the lowest or the highest value, each with probability rate / 2.

    Args:
        rate: The probability that an element is touched.
        low: The lowest value.
        high: The highest value.

    Raises:
        OptionError: The rate is no probability.

    Reference:
        Vincent et al., "Stacked denoising autoencoders" (2010),
        https://jmlr.org/papers/v11/vincent10a.html.
    """

    def __init__(self, rate: float = 0.1, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        _check_rate(rate)
        self.rate = rate
        self.low = low
        self.high = high

    def forward(self, x: Tensor) -> Tensor:
        """X (..., *D) with specks while training, else x."""
        if not self.training:
            return x
        drawn = torch.rand_like(x)
        specked = torch.where(drawn < self.rate / 2, self.low, x)
        return torch.where(drawn >= 1 - self.rate / 2, self.high, specked)
