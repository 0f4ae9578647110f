"""How the network of a prior over integer codes is fitted to them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

# Of the codes, to see when fitting has gone far enough, and at most so many; fewer codes than
# ENOUGH are all learned from.
HELD_OUT, MOST_HELD_OUT, ENOUGH = 0.1, 1000, 20
LOOKS = 12


@final
@dataclass(frozen=True)
class Descent:
    """Steps of Adam on random codes, with a chance of its own.

    Args:
        steps: At most; the weights that were best on held-out codes are kept.
        batch_size: Codes in a step.
        lr: Adam's learning rate at the start; it falls to zero along a cosine.
        seed: Of the order of the codes.
    """

    steps: int
    batch_size: int
    lr: float
    seed: int

    @torch.enable_grad()
    def minimise(
        self, network: nn.Module, log_prob: Callable[[Tensor], Tensor], codes: Tensor
    ) -> None:
        """Fit a network in place; it is frozen before and after.

        Args:
            network: What `log_prob` reads.
            log_prob: Codes (B, ...) -> log p in nats, (B,).
            codes: (N, ...).
        """
        chance = torch.Generator().manual_seed(self.seed)
        codes = codes[torch.randperm(len(codes), generator=chance).to(codes.device)]
        aside = min(int(HELD_OUT * len(codes)), MOST_HELD_OUT) if len(codes) >= ENOUGH else 0
        held_out, codes = (codes[:aside], codes[aside:]) if aside else (codes, codes)
        network.requires_grad_(True)
        optimizer = torch.optim.Adam(network.parameters(), self.lr, fused=True)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)

        def cost() -> float:
            with torch.no_grad():
                return -float(log_prob(held_out).mean())

        best, least = deepcopy(network.state_dict()), cost()
        for step in range(1, self.steps + 1):
            rows = torch.randint(len(codes), (self.batch_size,), generator=chance)
            optimizer.zero_grad()
            (-log_prob(codes[rows.to(codes.device)]).mean()).backward()
            optimizer.step()
            decay.step()
            if step % max(1, self.steps // LOOKS) == 0 and (found := cost()) < least:
                best, least = deepcopy(network.state_dict()), found
        network.load_state_dict(best)
        network.requires_grad_(False)
