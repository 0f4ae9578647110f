"""What several objectives ask of a posterior and a prior, each as a refusal with a way out."""

from __future__ import annotations

from isthmus.posteriors import DiscretePosterior, Posterior
from isthmus.priors import Prior


def factorised(posterior: Posterior, prior: Prior) -> str | None:
    """q(z|x) must be a product over latent dimensions."""
    if posterior.factorised:
        return None
    return (
        "This objective takes q(z|x) apart by latent dimension, and the posterior "
        f"{type(posterior).__name__} does not factorise: use the posterior 'diagonal'."
    )


def real_codes(posterior: Posterior, prior: Prior) -> str | None:
    """Codes must be vectors whose dimensions can vary freely of each other."""
    if posterior.space == "real" and not isinstance(posterior, DiscretePosterior):
        return None
    return (
        "This objective compares codes dimension by dimension in R^Z, and the posterior "
        f"{type(posterior).__name__} has codes in the space {posterior.space!r}: use the posterior "
        "'diagonal', or the objective 'elbo'."
    )


def drawable_codes(posterior: Posterior, prior: Prior) -> str | None:
    """Codes must be points, of which the prior can draw such as the posterior does."""
    if posterior.space != "codes" and not isinstance(posterior, DiscretePosterior):
        return None
    return (
        "This objective compares codes with draws of the prior as points of one space, and the "
        f"posterior {type(posterior).__name__} puts out entries of a codebook: use the posterior "
        "'delta' or 'diagonal', or the objective 'reconstruction'."
    )


def density_of_codes(posterior: Posterior, prior: Prior) -> str | None:
    """Log q(z|x) must be a function of z, of which a slope can be taken."""
    if not posterior.joint_density:
        return None
    return (
        "This objective takes the slope of log q(z|x) at its samples, and the posterior "
        f"{type(posterior).__name__} knows it only together with what was drawn beside them: use "
        "the objective 'elbo' or 'iwae', or the posterior 'iaf'."
    )
