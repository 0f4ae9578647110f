"""`isthmus density`: another density of codes for a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli import options

if TYPE_CHECKING:
    from isthmus.fitting import Run

# What of q(z|x) a density is fitted to, as one says it of many.
CODES = {"means": "mean", "samples": "sample"}
NONE = "none"
# It is made of a model, which a command line cannot give.
COMPOSED = "fitted-model"
# What the model says of itself, and nobody else.
GIVEN = ("latent_shape", "code_shape", "n_codes", "model", "fitted_to")


@click.command()
@options.run_argument
@click.argument("data", required=False)
@click.option(
    "--kind",
    metavar="NAME",
    help="gaussian, mixture, flow, spike-slab; autoregressive or pixelcnn for codes of integers; "
    "none goes back to the prior. [default: mixture, or autoregressive]",
)
@click.option(
    "--on",
    type=click.Choice(list(CODES)),
    help="The codes that it is fitted to. [default: as it has it]",
)
@click.option(
    "-s",
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="An option of the density, such as components=20.",
)
@options.seed_option
@options.device_option
def density(
    run: str,
    data: str | None,
    kind: str | None,
    on: str | None,
    sets: Sequence[str],
    seed: int,
    device: str,
) -> None:
    """Fit a density to a run's codes, for `sample`.

    It is fitted to the codes of the part of DATA that the run was trained on, and kept with the
    run; DATA are those of the training, by default from where they were then. Encoder, decoder and
    log p(x) stay as they are. `isthmus sample RUN --from prior` still draws from the prior.
    """
    from isthmus.cli import running
    from isthmus.cli.talk import note, wrote
    from isthmus.densities import drop_density, fit_density, held_out_density

    trained, _ = running.open_run(run, device)
    if kind == NONE:
        _refuse_more(data, on, sets)
        drop_density(trained)
        wrote(run, "`sample` draws from the model's own prior again")
        return
    name = _name(kind, trained)
    given_options = _options(name, on, sets)
    given = running.trained_on(trained, data)
    source = given.as_source()
    fit_density(trained, source, name, seed=seed, **given_options)
    for text in given.notes:
        note(text)
    found = held_out_density(trained, source, seed=seed)
    wrote(run, f"the density {name}, fitted to the training part's codes ({_plural(found.mode)})")
    click.echo(
        f"log density of {found.codes:,} held-out codes: {found.density:.3f} nats, by the model's "
        f"prior {found.prior:.3f} nats"
    )
    click.echo(f"Next: {running.sample_line(trained, run)}")


def _name(kind: str | None, run: Run) -> str:
    """The density's name among the priors, from that or a short form of it."""
    from typing import cast

    from isthmus.priors import PRIORS, FittedPrior
    from isthmus.registry import did_you_mean

    able = [e.name for e in PRIORS if issubclass(cast(type, e.factory), FittedPrior)]
    short = {n.removeprefix("fitted-").removesuffix("-codes"): n for n in able if n != COMPOSED}
    if kind is None:
        integers = run.model.posterior.space == "codes"
        return short["autoregressive" if integers else "mixture"]
    if kind in short:
        return short[kind]
    if kind not in short.values():
        raise did_you_mean("density", kind, [*short, NONE])
    return kind


def _options(name: str, on: str | None, sets: Sequence[str]) -> dict[str, Any]:
    """The options of the density called `name`, brought to the types of their defaults."""
    import inspect

    from isthmus.cli import values
    from isthmus.errors import OptionError
    from isthmus.priors import PRIORS
    from isthmus.registry import did_you_mean

    parameters = inspect.signature(PRIORS[name].factory).parameters
    known = {k: p.default for k, p in parameters.items() if k not in GIVEN}
    found: dict[str, Any] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise OptionError(f"-s {text}: expected an option of {name} as KEY=VALUE.")
        if key not in known:
            raise did_you_mean(f"option of {name}:", key, known)
        found[key] = values.like(known[key])(key, values.parse(value))
    if on is not None:
        if "fitted_to" not in parameters:
            raise OptionError(f"{name} is fitted to codes of integers: leave --on out.")
        found["fitted_to"] = CODES[on]
    return found


def _refuse_more(data: str | None, on: str | None, sets: Sequence[str]) -> None:
    from isthmus.errors import OptionError

    if data is not None or on is not None or sets:
        raise OptionError("--kind none fits nothing: leave DATA, --on and -s out.")


def _plural(mode: str) -> str:
    return {v: k for k, v in CODES.items()}.get(mode, "integers")
