"""The players of a run: the model, and the critics that its objective may own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast, final

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from isthmus.model import LatentModel
from isthmus.objectives import Critic, Loss, Objective
from isthmus.training.devices import Processes, average_gradients
from isthmus.training.settings import TrainingSettings


@final
class Step(nn.Module):
    """What is computed on a batch: the model's evidence, and the objective's loss of it."""

    def __init__(self, model: LatentModel, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Loss:
        objective = self.objective
        evidence = self.model.evidence(x, objective.samples, objective.corruption, condition)
        loss: Loss = self.objective(evidence)
        return loss


@final
@dataclass
class Player:
    """A set of parameters with its optimiser; `critic` names its loss, the model's is the total."""

    critic: str | None
    parameters: list[nn.Parameter]
    optimizer: Optimizer
    peak: float

    def loss(self, loss: Loss) -> Tensor:
        """The scalar that this player minimises."""
        return loss.total if self.critic is None else loss.critics[self.critic]

    def step(self, clip: float, factor: float) -> None:
        """Clip and step, at `factor` times the peak learning rate."""
        if clip:
            nn.utils.clip_grad_norm_(self.parameters, clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * factor
        self.optimizer.step()
        # What `zero_grad` does, without its bookkeeping, which a small network would notice.
        for parameter in self.parameters:
            parameter.grad = None


def players_of(step: Step, settings: TrainingSettings) -> list[Player]:
    """The model first, then the objective's critics."""
    fused = next(step.parameters()).device.type in ("cpu", "cuda")
    critics = step.objective.critics
    theirs = {id(p) for p in critics.parameters()}
    ours = [p for p in step.parameters() if p.requires_grad and id(p) not in theirs]
    optimizer = AdamW(ours, lr=settings.lr, weight_decay=settings.weight_decay, fused=fused)
    players = [Player(None, ours, optimizer, settings.lr)]
    for name, module in critics.items():
        critic = cast(Critic, module)
        parameters = list(critic.parameters())
        moved = AdamW(parameters, lr=critic.lr, betas=critic.betas, weight_decay=0.0, fused=fused)
        players.append(Player(name, parameters, moved, critic.lr))
    return players


def backward(players: list[Player], loss: Loss, group: Processes) -> None:
    """Gradients of every player's own loss for its own parameters, before any of them moves."""
    if len(players) == 1:
        loss.total.backward()
        return
    for i, player in enumerate(players):
        player.loss(loss).backward(inputs=player.parameters, retain_graph=i + 1 < len(players))
        average_gradients(player.parameters, group)


def learning_rate(progress: float, settings: TrainingSettings) -> float:
    """The share of the peak at `progress` in [0, 1]: a line up, then a cosine to the floor."""
    if progress < settings.warmup:
        return max(progress / settings.warmup, 1e-3)
    after = (progress - settings.warmup) / max(1.0 - settings.warmup, 1e-12)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(after, 1.0)))
    return settings.floor + (1.0 - settings.floor) * cosine
