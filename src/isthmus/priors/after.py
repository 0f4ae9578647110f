"""What densities that are fitted after training share: units, words, and Adam's loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Distribution, TransformedDistribution

from isthmus.errors import OptionError

# How often the held-out codes are looked at, and the share and number of codes that are held out.
LOOKS, HELD_OUT, FEW = 20, 0.1, 20
# A dimension whose spread is a smaller share of the widest one's is idle.
IDLE = 1e-4


def mode_of_codes(word: str) -> str:
    """The word, if it says which real codes of the training data are meant.

    Raises:
        OptionError: It is neither "mean" nor "sample".
    """
    if word not in ("mean", "sample"):
        raise OptionError(f"A density is fitted to 'mean' or 'sample' codes, not {word!r}.")
    return word


@final
class Units(nn.Module):
    """Shift and scale of codes by dimension, learned from them and stored with the density.

    Args:
        width: Z.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def learn(self, codes: Tensor) -> Tensor:
        """Take mean and spread from codes (N, Z), and give the codes in these units."""
        spread = codes.std(0, correction=0)
        spread = spread.clamp(min=max(IDLE * spread.max().item(), 1e-12))
        self.get_buffer("shift").copy_(codes.mean(0))
        self.get_buffer("scale").copy_(spread)
        return (codes - self.get_buffer("shift")) / self.get_buffer("scale")

    def restore(self, p: Distribution) -> Distribution:
        """The density of codes, from one in these units."""
        units = AffineTransform(self.get_buffer("shift"), self.get_buffer("scale"), event_dim=1)
        return TransformedDistribution(p, [units], validate_args=False)


@final
@dataclass(frozen=True)
class AdamSteps:
    """How a network is fitted to codes.

    Args:
        steps: Of Adam.
        batch_size: Codes in one.
        lr: The first learning rate; it falls to 0 along a cosine.

    Raises:
        OptionError: No step, or nothing in it.
    """

    steps: int
    batch_size: int
    lr: float

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise OptionError(
                "A density is fitted in at least one step of at least one code; got "
                f"steps={self.steps}, batch_size={self.batch_size}."
            )

    def minimise(self, network: nn.Module, loss: Callable[[Tensor], Tensor], codes: Tensor) -> None:
        """Train a network in place; it ends with the weights that were best on held-out codes.

        Args:
            network: Frozen before and after.
            loss: Codes (B, Z) -> the mean loss, a scalar.
            codes: (N, Z).
        """
        codes = codes[torch.randperm(len(codes), device=codes.device)]
        kept_back = int(HELD_OUT * len(codes)) if len(codes) >= FEW else 0
        held_out, training = codes[:kept_back] if kept_back else codes, codes[kept_back:]
        network.requires_grad_(True).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.lr)
        pace = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        best, weights = math.inf, copy.deepcopy(network.state_dict())
        for step in range(1, self.steps + 1):
            rows = torch.randint(len(training), (self.batch_size,), device=codes.device)
            with torch.enable_grad():
                value = loss(training[rows])
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            pace.step()
            if step % max(1, self.steps // LOOKS) == 0 or step == self.steps:
                network.eval()
                with torch.no_grad():
                    found = loss(held_out).item()
                network.train()
                if found < best:
                    best, weights = found, copy.deepcopy(network.state_dict())
        network.load_state_dict(weights)
        network.requires_grad_(False).eval()
