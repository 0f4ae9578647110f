"""Missing elements filled in by what a model makes of the observed ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.answering import answering
from isthmus.conditions import parts
from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.evidence import Evidence
from isthmus.posteriors import Posterior
from isthmus.registry import Registry

IMPUTE_MODES = Registry("impute mode")

# (p(x|z) with batch (S, B), weights (S, B) that sum to 1 over S) -> (B, *D).
Filler = Callable[[Distribution, Tensor], Tensor]


class Imputes(Protocol):
    """What a model has to say of data with gaps, as `LatentModel` does."""

    posterior: Posterior
    scaling: Any

    def evidence(
        self, x: Tensor, samples: int = 1, corruption: None = None, condition: Tensor | None = None
    ) -> Evidence:
        """What the model says of x (B, *D)."""


def impute(
    model: Imputes,
    x: Tensor,
    samples: int = 1000,
    mode: str = "mean",
    *,
    chunk: int = 100,
    condition: Tensor | None = None,
) -> Tensor:
    """Data with their gaps filled in; what was observed stays as it is.

    By self-normalised importance sampling: with z_k ~ q(z|x_observed) and weights
    w_k ∝ p(x_observed, z_k) / q(z_k|x_observed), "mean" fills in Σ_k w_k E[x|z_k], which tends to
    E[x_missing|x_observed] as `samples` grow, and "sample" draws x from p(x|z_k) for one k drawn by
    its weight: repeated, it gives multiple imputations.

    Args:
        model: Of a recipe such as miwae-imputation, trained on data with gaps.
        x: (N, *D) in the data's units, NaN where an element is missing.
        samples: Importance samples for each datum.
        mode: "mean" or "sample".
        chunk: Data in one pass.
        condition: (N, C), for a conditional model.

    Returns:
        (N, *D) without gaps.

    Raises:
        DataError: What is there of a datum with gaps is impossible to the model.
        OptionError: Not even one sample was asked for.
        UnsupportedError: The model has no density of codes, or cannot read gaps.

    Reference:
        Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data
        Sets, arXiv 1812.02633, section 3.
    """
    fill = IMPUTE_MODES[mode].factory
    if samples < 1:
        raise OptionError(f"To impute takes at least one importance sample, got {samples}.")
    if not model.posterior.has_density:
        raise UnsupportedError(
            f"To impute takes a posterior with a density, and {type(model.posterior).__name__} has "
            "none: use the recipe miwae-imputation."
        )
    with answering(cast(nn.Module, model)):
        done = [
            _impute_part(model, part, samples, fill, given)
            for part, given in parts(x, condition, chunk)
        ]
    return torch.cat(done)


def _impute_part(
    model: Imputes, x: Tensor, samples: int, fill: Filler, condition: Tensor | None
) -> Tensor:
    said = model.evidence(x, samples, condition=condition)
    log_weights = said.log_weights
    if bool(log_weights.isnan().any()):
        raise UnsupportedError(
            "This model cannot read gaps (NaN): train the recipe miwae-imputation on data with "
            "gaps."
        )
    gaps, weights = torch.isnan(x), log_weights.softmax(0)
    if bool((gaps.flatten(1).any(1) & weights.isnan().any(0)).any()):
        raise DataError(
            "There are data with gaps of which the model holds what is there for impossible, so "
            "that it says nothing of what is missing: look for numbers far out of range."
        )
    # Weights of data without gaps are not used, but have to be some.
    filled = model.scaling.inverse(fill(said.px, weights.nan_to_num(1.0)))
    return torch.where(gaps, filled, x)


@IMPUTE_MODES.register("mean")
def _mean(px: Distribution, weights: Tensor) -> Tensor:
    """The weighted mean of the means (S, B, *D)."""
    means = px.mean
    return (means * weights.reshape(*weights.shape, *[1] * (means.dim() - 2))).sum(0)


@IMPUTE_MODES.register("sample")
def _sample(px: Distribution, weights: Tensor) -> Tensor:
    """A draw from p(x|z) at one of the z, drawn by its weight."""
    drawn = px.sample()
    chosen = torch.multinomial(weights.T, 1)[:, 0]
    return drawn[chosen, torch.arange(drawn.shape[1], device=drawn.device)]
