"""How a recipe is written, found and built."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.model import LatentModel
from isthmus.networks import BACKBONES, Encoder, LogEncoder, Sizes
from isthmus.objectives import OBJECTIVES, Objective
from isthmus.posteriors import POSTERIORS
from isthmus.priors import PRIORS
from isthmus.recipes.meeting import meet
from isthmus.registry import RECIPES, Pick, did_you_mean


@final
@dataclass(frozen=True)
class Axes:
    """The options that every recipe takes.

    Args:
        latent_dim: Z, the width of the strip.
        network: Encoder and decoder: auto, mlp, conv, residual, linear.
        hidden: Widths of the hidden layers, or of the stages of a convolutional network.
        activation: Activation of the hidden layers.
        likelihood: p(x|z) by name; auto takes the one that fits the data's support.
    """

    latent_dim: int = 16
    network: str = "auto"
    hidden: tuple[int, ...] | None = None
    activation: str = "silu"
    likelihood: str = "auto"


@final
@dataclass(frozen=True)
class Built:
    """A recipe's result: the model, what trains it, and what was handled on the way, in words."""

    model: LatentModel
    objective: Objective
    notes: tuple[str, ...] = ()


DIAGONAL, STANDARD_NORMAL = Pick("diagonal"), Pick("standard-normal")

RecipeFunction = Callable[..., Built]


def recipe(
    name: str,
    *,
    paper: str,
    year: int,
    family: str,
    argmax: bool = True,
    training: Mapping[str, Any] | None = None,
) -> Callable[[RecipeFunction], RecipeFunction]:
    """Register a function of (spec, axes, own keyword options) as a published model.

    Args:
        name: What users call it.
        paper: arXiv number or venue.
        year: Of publication.
        family: The heading under which `isthmus recipes` lists it.
        argmax: Whether its posterior has a mode.
        training: Training settings that suit it better than the general defaults.
    """
    return RECIPES.register(
        name, paper=paper, year=year, family=family, argmax=argmax, training=dict(training or {})
    )


def build_recipe(name: str, spec: DataSpec, **options: Any) -> Built:
    """Build the recipe called `name` for data of this spec.

    Args:
        name: As `isthmus recipes` lists it.
        spec: What a source says of its data.
        **options: Those of `Axes` and the recipe's own.

    Raises:
        UnknownNameError: There is no such recipe, network or likelihood.
        OptionError: An option that it does not take, or a value that cannot work.
    """
    entry = RECIPES[name]
    known = recipe_options(name)
    for option in options:
        if option not in known:
            raise OptionError(str(did_you_mean(f"option of recipe {name!r}:", option, known)))
    common = {field.name for field in dataclasses.fields(Axes)}
    axes = Axes(**{k: v for k, v in options.items() if k in common})
    if axes.latent_dim < 1:
        raise OptionError(f"latent_dim must be at least 1, got {axes.latent_dim}.")
    built: Built = entry.factory(
        spec, axes, **{k: v for k, v in options.items() if k not in common}
    )
    return built


def recipe_options(name: str) -> dict[str, Any]:
    """Every option of a recipe with its default, its own ones first."""
    parameters = list(inspect.signature(RECIPES[name].factory).parameters.values())
    own = {p.name: p.default for p in parameters[2:]}
    return own | {field.name: field.default for field in dataclasses.fields(Axes)}


def assemble(
    spec: DataSpec,
    axes: Axes,
    objective: Objective | Pick,
    *,
    posterior: Pick = DIAGONAL,
    prior: Pick = STANDARD_NORMAL,
    preferred: str | None = None,
) -> Built:
    """Join the axes for data of this spec.

    Every pick is handed what its factory asks for by name: `features` (H), `latent_shape` (Z),
    `shape` (D), `length` (the number of data).

    Args:
        spec: What the data are.
        axes: The common options.
        objective: What trains the model.
        posterior: Of the registry of posteriors.
        prior: Of the registry of priors.
        preferred: The likelihood that "auto" takes where it covers the data.

    Raises:
        OptionError: The combination has no meaning; the message names the nearest that has.
    """
    meeting = meet(spec, axes.likelihood, preferred)
    notes = list(meeting.notes)
    if axes.latent_dim > spec.size:
        notes.append(
            f"The code has {axes.latent_dim} dimensions and a datum only {spec.size}: it "
            "squeezes nothing."
        )
    latent_shape = (axes.latent_dim,)
    output_shape = tuple(meeting.likelihood.parameter_shape())
    sizes = Sizes(spec, latent_shape, output_shape, axes.hidden, axes.activation)
    encoder, decoder = BACKBONES[axes.network].factory(sizes)
    context = {
        "features": encoder.features,
        "latent_shape": latent_shape,
        "shape": spec.shape,
        "length": spec.length,
    }
    model = LatentModel(
        INPUTS.get(spec.support, _as_it_is)(encoder),
        POSTERIORS.create_for(posterior, context),
        PRIORS.create_for(prior, context),
        decoder,
        meeting.likelihood,
        meeting.scaling,
    )
    if isinstance(objective, Pick):
        objective = cast(Objective, OBJECTIVES.create_for(objective, context))
    objective.check(model.posterior, model.prior)
    return Built(model, objective, tuple(notes))


def _as_it_is(encoder: Encoder) -> Encoder:
    return encoder


# A support whose values the encoder reads on another scale.
INPUTS: dict[str, Callable[[Encoder], Encoder]] = {"count": LogEncoder}
