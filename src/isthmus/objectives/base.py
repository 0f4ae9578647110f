"""The contract of an objective, the loss it returns, and the critics that it may own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.likelihoods import Likelihood
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
        needs_mean: The likelihood must have a mean.
        comparable: Held-out losses of different times can be compared. Where a critic that moves
            on sets their unit they cannot, and the last weights are kept for the best.
        of_batches: A term looks at the batch as a whole, so that its value depends on which data
            come together.
        requires: What else must hold, each a function that says what is wrong and what would do.
        weighted: The names of the terms that beta multiplies.
        critics: Further players by name; the training loop moves each by its own loss.
        together: What a figure of the batch is over the batches of all processes that train
            together: its mean, without a gradient. Who weighs terms by such a figure asks it, so
            that two processes do what one would do with twice the batch.
    """

    needs_density: ClassVar[bool] = True
    needs_mean: bool = False
    comparable: bool = True
    of_batches: ClassVar[bool] = False
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
        self.together: Callable[[Tensor], Tensor] = Tensor.detach

    @abstractmethod
    def forward(self, evidence: Evidence) -> Loss:
        """The loss of a batch."""

    def check(
        self, posterior: Posterior, prior: Prior, likelihood: Likelihood | None = None
    ) -> None:
        """Refuse, before training, the parts that this objective cannot be asked of.

        Args:
            posterior: Of the model.
            prior: Of the model.
            likelihood: Of the model; None where it is not known yet.

        Raises:
            OptionError: With the reason and the nearest choice that works.
        """
        if self.needs_density and not posterior.has_density:
            raise OptionError(
                f"The objective {type(self).__name__} needs a density of codes and the posterior "
                f"{type(posterior).__name__} has none: use the posterior 'diagonal', or the "
                "objective 'reconstruction'."
            )
        if self.needs_mean and likelihood is not None and not likelihood.has_mean:
            other = "elbo" if posterior.has_density else "reconstruction"
            raise OptionError(
                f"The objective {type(self).__name__} reads the mean of p(x|z), and the likelihood "
                f"{type(likelihood).__name__} has none: use the objective {other!r}."
            )
        for refusal in self.requires:
            if reason := refusal(posterior, prior):
                raise OptionError(reason)

    def weigh(
        self,
        evidence: Evidence,
        terms: dict[str, Tensor],
        critics: dict[str, Tensor] | None = None,
        *,
        weights: Mapping[str, float | Tensor] | None = None,
        shown: dict[str, Tensor] | None = None,
    ) -> Loss:
        """The mean over data of the weighted sum of `terms` (B,) and of what the posterior asks.

        Args:
            evidence: Whose penalties join the terms, unweighted.
            terms: Named per-datum terms (B,).
            critics: What each critic minimises, by its name.
            weights: Of terms by name, where it is neither 1 nor beta.
            shown: Further per-datum terms (B,), for the history alone.
        """
        beta = self.scheduled(self.beta)
        by_name = {**dict.fromkeys(self.weighted, beta), **(weights or {})}
        terms = {**terms, **evidence.penalties}
        parts = [by_name[name] * t if name in by_name else t for name, t in terms.items()]
        total = sum(parts[1:], parts[0]).mean()
        return Loss(total, {**terms, **(shown or {})}, critics or {})
