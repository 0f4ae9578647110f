"""What the parts of a latent model must agree on, checked before anything is trained."""

from __future__ import annotations

from typing import cast

from isthmus.data.scaling import Scaling
from isthmus.errors import OptionError
from isthmus.likelihoods import Likelihood
from isthmus.posteriors import Posterior, TopDownPosterior
from isthmus.priors import POSTERIORS_SPACE, PRIORS, Prior


def refuse_scaling(likelihood: Likelihood, scaling: Scaling) -> None:
    """Refuse a scaling that would move x out of the likelihood's support.

    Raises:
        OptionError: With what would do.
    """
    if scaling.active and not (likelihood.affine or scaling.bounded):
        raise OptionError(
            f"The likelihood {type(likelihood).__name__} lives on a fixed support, so its "
            "data cannot be shifted and scaled: use a scaling 'none', or a likelihood on the "
            "real line ('gaussian-shared')."
        )


def refuse_prior(posterior: Posterior, prior: Prior) -> None:
    """Refuse a density of codes that lives elsewhere than the codes.

    Raises:
        OptionError: With what would do.
    """
    if prior.space == POSTERIORS_SPACE:
        if not posterior.has_density:
            raise OptionError(
                f"The prior {type(prior).__name__} is a mean of densities q(z|x), and the "
                f"posterior {type(posterior).__name__} has none: use the posterior 'diagonal', or "
                "the prior 'fitted-mixture'."
            )
        if isinstance(posterior, TopDownPosterior):
            raise OptionError(
                f"The prior {type(prior).__name__} is made of the model's posteriors and the "
                f"posterior {type(posterior).__name__} of the model's prior: use the posterior "
                f"'diagonal', or a prior on {posterior.space!r}{_priors_on(posterior.space)}."
            )
    elif prior.space != posterior.space:
        raise OptionError(
            f"The posterior {type(posterior).__name__} has codes in the space "
            f"{posterior.space!r} and the prior {type(prior).__name__} in "
            f"{prior.space!r}: use a prior on {posterior.space!r}{_priors_on(posterior.space)}."
        )


def _priors_on(space: str) -> str:
    """The priors that live there, in brackets."""
    # A space may go on with its sizes, which an instance knows.
    kind = space.split(maxsplit=1)[0]
    names = [f"'{e.name}'" for e in PRIORS if cast(type[Prior], e.factory).space == kind]
    return f" ({', '.join(names)})" if names else ""
