"""How a recipe is written, found and built."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, final

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.likelihoods import ObservedLikelihood
from isthmus.model import LatentModel
from isthmus.networks import DECODERS, Encoder, LeadingDecoder, Sizes, map_size
from isthmus.objectives import OBJECTIVES, Objective
from isthmus.posteriors import POSTERIORS, DiscretePosterior
from isthmus.priors import PRIORS
from isthmus.recipes.meeting import meet
from isthmus.recipes.networks import makes_maps, networks_for
from isthmus.registry import RECIPES, Pick, did_you_mean


@final
@dataclass(frozen=True)
class Axes:
    """The options that every recipe takes.

    Args:
        latent_dim: Z, the width of the strip; 0 where a recipe takes it from the data's size.
        network: Encoder and decoder: auto, mlp, conv, residual, linear, map, kl.
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
    axes: Mapping[str, Any] | None = None,
    condition: bool = False,
    kinds: Collection[str] = (),
    gaps: bool = False,
) -> Callable[[RecipeFunction], RecipeFunction]:
    """Register a function of (spec, axes, own keyword options) as a published model.

    Args:
        name: What users call it.
        paper: arXiv number or venue.
        year: Of publication.
        family: The heading under which `isthmus recipes` lists it.
        argmax: Whether its posterior has a mode.
        training: Training settings that suit it better than the general defaults.
        axes: Common options, likewise.
        kinds: Of data that it is for; every kind where empty.
        condition: Whether it takes only data with a condition.
        gaps: Whether it learns from data with missing elements.
    """
    suited: dict[str, Any] = {"kinds": tuple(kinds), "gaps": gaps}
    suited |= {"training": dict(training or {}), "axes": dict(axes or {})}
    return RECIPES.register(
        name, paper=paper, year=year, family=family, argmax=argmax, condition=condition, **suited
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
    suited = entry.about["axes"]
    axes = Axes(**{**suited, **{k: v for k, v in options.items() if k in common}})
    if axes.latent_dim < 1 and axes.latent_dim != suited.get("latent_dim"):
        raise OptionError(f"latent_dim must be at least 1, got {axes.latent_dim}.")
    built: Built = entry.factory(
        spec, axes, **{k: v for k, v in options.items() if k not in common}
    )
    return built


def recipe_options(name: str) -> dict[str, Any]:
    """Every option of a recipe with its default, its own ones first."""
    parameters = list(inspect.signature(RECIPES[name].factory).parameters.values())
    own = {p.name: p.default for p in parameters[2:]}
    common = {field.name: field.default for field in dataclasses.fields(Axes)}
    return own | common | RECIPES[name].about["axes"]


def assemble(
    spec: DataSpec,
    axes: Axes,
    objective: Objective | Pick,
    *,
    posterior: Pick = DIAGONAL,
    prior: Pick = STANDARD_NORMAL,
    sampler: Pick | None = None,
    preferred: str | Pick | None = None,
    grid: tuple[int, ...] = (),
    downsample: int = 4,
    reads: Collection[str] = (),
    gaps: bool = False,
    lowest: int = 0,
    network: Pick | None = None,
    scaling: str | None = None,
) -> Built:
    """Join the axes for data of this spec.

    Every pick is handed what its factory asks for by name: `features` (H), `latent_shape` (Z),
    `grid` (height and width of the encoder's feature map, () where its features are flat), `shape`
    (D), `length` (the number of data); a prior over a discrete posterior's integers also
    `code_shape` and `n_codes`.

    Args:
        spec: What the data are.
        axes: The common options.
        objective: What trains the model.
        posterior: Of the registry of posteriors.
        prior: Of the registry of priors.
        sampler: Of the registry of priors: what is fitted to the codes after training, to draw
            from in place of the prior.
        preferred: The likelihood that "auto" takes where it covers the data.
        grid: The positions of the code, each of the common width; () is one vector. A network of
            feature maps brings its own.
        downsample: How many times smaller than an image a feature map is.
        reads: What reads the condition beside the prior: "encoder", "decoder",
            "labelled decoder", "posterior", "objective".
        gaps: Whether data with missing elements can be learned from: their encoder then reads
            which are there, and the likelihood counts those alone.
        lowest: How many leading numbers of the code the decoder reads, as that of a hierarchy; 0
            for all.
        network: With options of its own, in place of the one that the common options name.
        scaling: How the model sees data in [0, 1] under a likelihood that lets them be moved, as
            `Scaling` calls it; None measures them.

    Raises:
        OptionError: The combination has no meaning; the message names the nearest that has.
    """
    meeting = meet(spec, axes.likelihood, preferred, scaling)
    network = Pick(axes.network) if network is None else network
    notes = [*meeting.notes, *_of_condition(spec, reads or prior.name == "conditional", gaps)]
    if axes.latent_dim > spec.size:
        notes.append(
            f"The code has {axes.latent_dim} dimensions and a datum only {spec.size}: it "
            "squeezes nothing."
        )
    latent_shape = _latent_shape(spec, axes.latent_dim, network, grid, downsample)
    output_shape = tuple(meeting.likelihood.parameter_shape())
    sizes = Sizes(spec, latent_shape, output_shape, axes.hidden, axes.activation, downsample)
    encoder, decoder = networks_for(network, sizes, reads)
    context = {
        "features": encoder.features,
        "latent_shape": latent_shape,
        "grid": encoder.grid,
        "shape": spec.shape,
        "length": spec.length,
        "condition_dim": spec.condition_dim,
    }
    _refuse_map(posterior, encoder)
    made = POSTERIORS.create_for(posterior, context)
    if made.latent_shape != latent_shape:
        # A code of its own shape, such as one-hot vectors: the decoder reads that.
        context["latent_shape"] = made.latent_shape
        read = (lowest,) if lowest else made.latent_shape
        _, decoder = networks_for(network, replace(sizes, latent_shape=read), reads)
        decoder = LeadingDecoder(decoder, lowest) if lowest else decoder
    if made.chart is not None:
        decoder = DECODERS.create(made.chart.name, decoder=decoder, **made.chart.options)
    if isinstance(made, DiscretePosterior):
        context |= {"code_shape": made.code_shape, "n_codes": made.n_codes}
    model = LatentModel(
        encoder,
        made,
        PRIORS.create_for(prior, context),
        decoder,
        ObservedLikelihood(meeting.likelihood) if spec.missing else meeting.likelihood,
        meeting.scaling,
        None if sampler is None else PRIORS.create_for(sampler, context),
    )
    if isinstance(objective, Pick):
        objective = cast(Objective, OBJECTIVES.create_for(objective, context))
    objective.check(model.posterior, model.prior, model.likelihood)
    return Built(model, objective, tuple(notes))


def _latent_shape(
    spec: DataSpec, width: int, network: Pick, grid: tuple[int, ...], downsample: int
) -> tuple[int, ...]:
    """Z: positions and width, or laid out like an image where the network gives feature maps."""
    if makes_maps(network) and len(spec.shape) > 1:
        return (width, *map_size(spec.shape[1:], downsample))
    return (*grid, width)


def _refuse_map(posterior: Pick, encoder: Encoder) -> None:
    """Refuse a posterior of flat features where the encoder gives a map.

    Raises:
        OptionError: With what reads one.
    """
    if encoder.grid and not POSTERIORS.takes(posterior.name, "grid"):
        able = [f"'{e.name}'" for e in POSTERIORS if POSTERIORS.takes(e.name, "grid")]
        raise OptionError(
            f"The posterior {posterior.name!r} reads flat features, and this network gives feature "
            f"maps: use network='conv', or a posterior that reads maps ({', '.join(able)})."
        )


def _of_condition(spec: DataSpec, read: object, gaps: bool) -> list[str]:
    """What is to be said of data with a condition or with gaps; gaps that nobody heeds are refused.

    Raises:
        OptionError: The data have missing elements and the recipe cannot learn from such.
    """
    if spec.missing and not gaps:
        raise OptionError(
            "These data have missing values and this recipe takes complete ones: use the recipe "
            "'miwae-imputation', or fill them."
        )
    if spec.condition and not read:
        return ["This recipe does not read the data's condition: cvae and ivae do."]
    return []
