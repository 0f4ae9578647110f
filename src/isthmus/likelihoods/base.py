"""The contract of a likelihood p(x|z), and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.registry import Part, Registry, did_you_mean

LIKELIHOODS = Registry("likelihood")

# exp of more than this is beyond what anybody counts, and a decoder that is still far off must not
# overflow.
LARGEST_LOG = 12.0


class Likelihood(Part, nn.Module, ABC):
    """p(x|z): decoder output -> one normalised density over the event D.

    Training, held-out likelihood and bits all read the same `log_prob`. Each constructor takes the
    event shape first and JSON values after it.

    Args:
        shape: The event shape D.

    Raises:
        OptionError: The shape is empty or has an axis without elements.
    """

    affine: ClassVar[bool]
    """True where x may be shifted and scaled: the location-scale families on the real line."""

    supports: ClassVar[tuple[str, ...]]
    """The words of `DataSpec.support` whose values this density covers."""

    has_mean: bool = True
    """False where a mean of its values says nothing, as of class indices."""

    is_mass: bool = False
    """True where `log_prob` is of probabilities of whole values, False where it is of a density."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = torch.Size(shape)
        if not self.shape or min(self.shape) < 1:
            raise OptionError(
                "A likelihood needs the shape of one datum, such as (1, 28, 28); "
                f"got {tuple(shape)}."
            )

    @abstractmethod
    def parameter_shape(self) -> torch.Size:
        """What the decoder puts out for one datum: (P, *D), with P parameters per element."""

    @abstractmethod
    def forward(self, parameters: Tensor) -> Distribution:
        """The density p(x|z).

        Args:
            parameters: (S, B, P, *D); whatever axes precede `parameter_shape()` are the batch.

        Returns:
            A distribution with batch (S, B) and event D.
        """

    @abstractmethod
    def start(self, data: Iterable[Tensor]) -> Tensor:
        """Decoder outputs at which p(x|z) fits the data whatever z is: where training begins.

        Args:
            data: Batches (B, *D) in scaled units, NaN where an element is missing.

        Returns:
            (P, *D), NaN where an output may start anywhere.
        """

    def _checked(self, parameters: Tensor) -> Tensor:
        """The parameters in at least single precision: sums over thousands of elements need it."""
        expected = self.parameter_shape()
        if parameters.shape[-len(expected) :] != expected:
            raise OptionError(
                f"{type(self).__name__} got decoder outputs of shape {tuple(parameters.shape)}; "
                f"expected (S, B, {', '.join(map(str, expected))}): "
                "build the decoder with likelihood.parameter_shape()."
            )
        return full_precision(parameters)

    def _only(self, parameters: Tensor) -> Tensor:
        """The one parameter per element: (S, B, 1, *D) -> (S, B, *D)."""
        return self._checked(parameters).squeeze(-len(self.shape) - 1)


class OneParameter(Likelihood, ABC):
    """A likelihood whose decoder puts out one number per element."""

    @final
    def parameter_shape(self) -> torch.Size:
        """(1, *D)."""
        return torch.Size((1, *self.shape))

    @abstractmethod
    def of_mean(self, mean: Tensor) -> Tensor:
        """The decoder's number for every element whose mean (*D) is `mean`."""

    @final
    def start(self, data: Iterable[Tensor]) -> Tensor:
        """(1, *D) that of the data's own mean."""
        return self.of_mean(mean_of(data, 0.5 if self.is_mass else 0.0))[None]


def mean_of(data: Iterable[Tensor], extra: float = 0.0) -> Tensor:
    """The mean (*D) of each element over all data, missing ones (NaN) left out.

    Args:
        data: Batches (B, *D).
        extra: So many data of zeros and so many of ones are added. With .5 no frequency is 0 or 1,
            and no mean count 0.

    Reference:
        Krichevsky & Trofimov, The Performance of Universal Encoding, IEEE Transactions on
        Information Theory 27, 1981.
    """
    total, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)
    for x in data:
        part, present = x.sum(0), torch.tensor(len(x))
        if not part.isfinite().all():
            part, present = x.nansum(0), (~x.isnan()).sum(0)
        total, count = total + part.double(), count + present
    return ((total + extra) / (count + 2.0 * extra)).nan_to_num(0.0).float()


def default_likelihood(support: str) -> str:
    """The name of the likelihood that data of `support` get when none is asked for.

    Raises:
        UnknownNameError: There is no such support.
    """
    defaults = {
        word: entry.name for entry in LIKELIHOODS for word in entry.about.get("default_for", ())
    }
    if support not in defaults:
        raise did_you_mean("support", support, defaults)
    return defaults[support]
