"""The contract of an objective, the loss it returns, and the critics that it may own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, final

from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.posteriors import Posterior
from isthmus.priors import Prior
from isthmus.registry import Part, Registry
from isthmus.schedules import Paced, Schedule, as_schedule

OBJECTIVES = Registry("objective")

# (posterior, prior) -> None, or in one line why not and the nearest choice that works.
Requirement = Callable[[Posterior, Prior], str | None]


@final
@dataclass(frozen=True)
class Loss:
    """What one batch costs.

    Args:
        total: What the model minimises, a scalar in nats per datum.
        terms: Named per-datum terms (B,), for the history.
        critics: What each critic minimises, a scalar by the critic's name.
    """

    total: Tensor
    terms: dict[str, Tensor]
    critics: dict[str, Tensor] = field(default_factory=dict)


@final
class Critic(nn.Module):
    """A second player: a network with a loss of its own, and how its optimiser is set.

    Args:
        network: The network that this player moves.
        lr: Adam's learning rate.
        betas: Adam's moments.
    """

    def __init__(
        self, network: nn.Module, lr: float = 1e-4, betas: tuple[float, float] = (0.5, 0.9)
    ) -> None:
        super().__init__()
        self.network = network
        self.lr = lr
        self.betas = betas

    def forward(self, *inputs: Tensor) -> Tensor:
        result: Tensor = self.network(*inputs)
        return result


class Objective(Part, Paced, ABC):
    """Evidence -> what training minimises.

    An objective says what it wants to know (how many samples S, of what corrupted input) and
    weighs the terms that it names; a variant overrides one term. Every variant reads the same
    evidence, so any objective meets any model, and one that needs a density refuses a posterior
    without one.

    Args:
        samples: S, latent samples per datum.
        beta: Weight of the terms named in `weighted`; a number or a schedule over the progress of
            training. Held-out data are always judged by its final value.
        corruption: What the encoder's input suffers while training; the target stays clean.

    Attributes:
        needs_density: The posterior must have a density.
        requires: What else must hold, each a function that says what is wrong and what would do.
        weighted: The names of the terms that beta multiplies.
        critics: Further players by name; the training loop moves each by its own loss.
    """

    needs_density: ClassVar[bool] = True
    requires: ClassVar[tuple[Requirement, ...]] = ()
    weighted: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, samples: int = 1, beta: float | Schedule = 1.0, corruption: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.samples = samples
        self.beta = as_schedule(beta)
        self.corruption = corruption if corruption is not None else nn.Identity()
        self.critics = nn.ModuleDict()

    @abstractmethod
    def forward(self, evidence: Evidence) -> Loss:
        """The loss of a batch."""

    def check(self, posterior: Posterior, prior: Prior) -> None:
        """Refuse, before training, a posterior or prior that this objective cannot be asked of.

        Raises:
            OptionError: With the reason and the nearest choice that works.
        """
        if self.needs_density and not posterior.has_density:
            raise OptionError(
                f"The objective {type(self).__name__} needs a density of codes and the posterior "
                f"{type(posterior).__name__} has none: use the posterior 'diagonal', or the "
                "objective 'reconstruction'."
            )
        for refusal in self.requires:
            if reason := refusal(posterior, prior):
                raise OptionError(reason)

    def weigh(
        self,
        evidence: Evidence,
        terms: dict[str, Tensor],
        critics: dict[str, Tensor] | None = None,
    ) -> Loss:
        """The mean over data of the weighted sum of `terms` (B,) and of what the posterior asks.

        Args:
            evidence: Whose penalties join the terms, unweighted.
            terms: Named per-datum terms (B,).
            critics: What each critic minimises, by its name.
        """
        beta = self.scheduled(self.beta)
        terms = {**terms, **evidence.penalties}
        parts = [beta * term if name in self.weighted else term for name, term in terms.items()]
        return Loss(sum(parts[1:], parts[0]).mean(), terms, critics or {})
