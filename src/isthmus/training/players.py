"""The players of a run: the model, and the critics that its objective may own.

The model's player moves what asks for gradients. To fine-tune a part of a model, say the decoder
from loaded weights, leave it to the training setting `train` (see `isthmus.training.parts`):
`fit(data, model, train=("decoder",))`, or with any recipe `fit(data, "NAME", train=("decoder",))`
and `-s training.train=decoder`. A recipe needs no option of its own for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast, final

from torch import Tensor, nn
from torch.optim import Optimizer

from isthmus.model import LatentModel
from isthmus.objectives import Critic, Loss, Objective
from isthmus.training.adam import adam
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
    critics = step.objective.critics
    theirs = {id(p) for p in critics.parameters()}
    ours = [p for p in step.parameters() if p.requires_grad and id(p) not in theirs]
    optimizer = adam(ours, settings.lr, weight_decay=settings.weight_decay)
    players = [Player(None, ours, optimizer, settings.lr)]
    for name, module in critics.items():
        critic = cast(Critic, module)
        parameters = list(critic.parameters())
        moved = adam(parameters, critic.lr, critic.betas)
        players.append(Player(name, parameters, moved, critic.lr))
    return players


def backward(players: list[Player], loss: Loss, group: Processes) -> None:
    """Gradients of every player's own loss for its own parameters, before any of them moves.

    A critic whose loss is a constant waits.
    """
    if len(players) == 1:
        loss.total.backward()
        return
    moving = [player for player in players if player.loss(loss).requires_grad]
    for i, player in enumerate(moving):
        player.loss(loss).backward(inputs=player.parameters, retain_graph=i + 1 < len(moving))
        average_gradients(player.parameters, group)


@contextmanager
def sharing(objective: Objective, group: Processes) -> Iterator[None]:
    """Within the block what an objective asks of a batch is asked of all processes' batches."""
    alone = objective.together
    if group.count > 1:
        objective.together = lambda t: group.mean(t.detach().clone())
    try:
        yield
    finally:
        objective.together = alone


def advance(players: list[Player], progress: float, settings: TrainingSettings) -> None:
    """Every player moves by its gradients, at the learning rate of `progress`."""
    factor = learning_rate(progress, settings)
    for player in players:
        player.step(settings.clip, factor)


def learning_rate(progress: float, settings: TrainingSettings) -> float:
    """The share of the peak at `progress` in [0, 1]: a line up, then a cosine to the floor."""
    if progress < settings.warmup:
        return max(progress / settings.warmup, 1e-3)
    after = (progress - settings.warmup) / max(1.0 - settings.warmup, 1e-12)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(after, 1.0)))
    return settings.floor + (1.0 - settings.floor) * cosine
