"""How a weight moves with the progress of training, which runs from 0 to 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import cast, final

import torch
from torch import Tensor, nn

from isthmus.registry import Part, Registry

SCHEDULES = Registry("schedule")


class Schedule(Part, nn.Module, ABC):
    """progress in [0, 1] -> weight, without leaving the device.

    Attributes:
        final_value: The weight at the end, which held-out data are always judged by.
    """

    final_value: float

    @abstractmethod
    def forward(self, progress: Tensor) -> Tensor | float:
        """The weight at `progress`, both 0-dimensional."""


class Paced(nn.Module):
    """A module that hears how far training is: the loop fills its `progress`, from 0 to 1.

    What it schedules follows the progress while training, and stands at its end afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    def scheduled(self, schedule: Schedule) -> Tensor | float:
        """The value of a schedule now, and its final value outside training."""
        if not self.training:
            return schedule.final_value
        return cast(Tensor | float, schedule(self.get_buffer("progress")))


class Staged(Paced, ABC):
    """A paced module of which a part begins later.

    The loop tells it on the host, so that what has not begun costs nothing and no step waits for
    the device.
    """

    @abstractmethod
    def reach(self, progress: float, step: int) -> None:
        """Hear how far training is: the share of it that is over, and the steps taken."""


def pacemaker(root: nn.Module) -> Callable[[float, int], None]:
    """What tells all paced modules of `root` how far training is: its share and its steps."""
    paced = [module for module in root.modules() if isinstance(module, Paced)]
    buffers = [module.get_buffer("progress") for module in paced]
    staged = [module for module in paced if isinstance(module, Staged)]

    def tell(progress: float, step: int) -> None:
        for buffer in buffers:
            buffer.fill_(progress)
        for module in staged:
            module.reach(progress, step)

    return tell


@final
@SCHEDULES.register("constant")
class Constant(Schedule):
    """The same weight throughout."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.final_value = float(value)

    def forward(self, progress: Tensor) -> float:
        return self.final_value


@final
@SCHEDULES.register("warm-up")
class WarmUp(Schedule):
    """`start` for the first `wait` of training, a straight line to `value` over the next `share`,
    then `value`.

    Reference:
        Sønderby et al., Ladder Variational Autoencoders, arXiv 1602.02282.
    """

    def __init__(
        self, value: float = 1.0, share: float = 0.1, start: float = 0.0, wait: float = 0.0
    ) -> None:
        super().__init__()
        self.final_value = float(value)
        self.start = float(start)
        self.share = float(share)
        self.wait = float(wait)

    def forward(self, progress: Tensor) -> Tensor:
        since = progress - self.wait if self.wait else progress
        climbed = (since * (1.0 / max(self.share, 1e-12))).clamp(0.0, 1.0)
        return climbed * (self.final_value - self.start) + self.start


@final
@SCHEDULES.register("cyclical")
class Cyclical(Schedule):
    """`cycles` ramps from 0 to `value`, each climbing over its first half.

    Reference:
        Fu et al., Cyclical Annealing Schedule, arXiv 1903.10145.
    """

    def __init__(self, value: float = 1.0, cycles: int = 4) -> None:
        super().__init__()
        self.final_value = float(value)
        self.cycles = int(cycles)

    def forward(self, progress: Tensor) -> Tensor:
        within = (progress * self.cycles).remainder(1.0)
        climbed = (2.0 * within).clamp(max=1.0)
        # The end of the last cycle is its plateau, not the start of another.
        return self.final_value * torch.where(progress >= 1.0, torch.ones_like(climbed), climbed)


@final
@SCHEDULES.register("exponential")
class Exponential(Schedule):
    """max(value, start · exp(−rate · progress)), renewed at every `step` of progress; step 0 moves
    it all the time.

    Reference:
        Jang et al., Categorical Reparameterization with Gumbel-Softmax, arXiv 1611.01144.
    """

    def __init__(
        self, value: float = 0.5, start: float = 1.0, rate: float = 1.4, step: float = 0.0
    ) -> None:
        super().__init__()
        self.final_value = float(value)
        self.start = float(start)
        self.rate = float(rate)
        self.step = float(step)

    def forward(self, progress: Tensor) -> Tensor:
        # A share of 0.3 is three steps of 0.1, whatever the last bits say.
        stairs = (progress / self.step + 1e-6).floor() * self.step if self.step else progress
        return (self.start * torch.exp(-self.rate * stairs)).clamp(min=self.final_value)


def warm_up(value: float = 1.0, share: float = 0.1) -> Schedule:
    """A climb to `value` over the first `share` of training; constant where there is none."""
    return WarmUp(value, share) if share > 0 else Constant(value)


def as_schedule(weight: float | Schedule) -> Schedule:
    """A number is a constant schedule."""
    return weight if isinstance(weight, Schedule) else Constant(weight)
