"""The page: verdict, table, figures and protocol, filled into the template."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isthmus.evaluation.pairs import Pair, winners
from isthmus.evaluation.results import Comparison, Finding
from isthmus.report.channels import channels
from isthmus.report.columns import column_r2, column_samples, parity
from isthmus.report.examples import image_reconstructions, image_samples
from isthmus.report.figure import Figure, Subject
from isthmus.report.films import attributes, interpolations, traversals
from isthmus.report.latent import information, latent_maps, training_curves
from isthmus.report.looks import choose_looks
from isthmus.report.outliers import outliers
from isthmus.report.prior import prior_maps
from isthmus.report.sampled import column_histograms, correlations
from isthmus.report.seeds import seed_spread
from isthmus.report.sizes import code_size, rate_distortion
from isthmus.report.table import Table, build_tables
from isthmus.report.terms import terms
from isthmus.report.words import counted, describe_data
from isthmus.store import write_bytes

PACKAGE = __name__.rpartition(".")[0]
COMMAND = "command"
PURPOSES = {
    "do I need an autoencoder": "Do I need an autoencoder?",
    "compress": "To compress",
    "generate": "To generate",
    "features": "As features",
    "spot anomalies": "To spot anomalies",
    "code size": "How large a code?",
}
FIGURES: tuple[Callable[[Subject], Figure | None], ...] = (
    code_size,
    image_reconstructions,
    parity,
    column_r2,
    image_samples,
    column_samples,
    column_histograms,
    correlations,
    latent_maps,
    prior_maps,
    information,
    channels,
    traversals,
    terms,
    interpolations,
    attributes,
    outliers,
    rate_distortion,
    seed_spread,
    training_curves,
)


@final
@dataclass(frozen=True)
class Page:
    """What the template shows.

    Args:
        title: The heading.
        data: The data, in a sentence.
        verdict: The heading over the findings.
        cards: (purpose, finding).
        pairs: By figure, the winner against the next.
        table: The main figures.
        more_tables: (heading, table) of the other figures.
        figures: In reading order.
        comparison: Protocol, notes and versions.
        model_notes: (label, note) of each model's notes.
        command: How to make it again.
    """

    title: str
    data: str
    verdict: str
    cards: tuple[tuple[str, Finding], ...]
    pairs: tuple[Pair, ...]
    table: Table
    more_tables: tuple[tuple[str, Table], ...]
    figures: tuple[Figure, ...]
    comparison: Comparison
    model_notes: tuple[tuple[str, str], ...] = field(default=())
    command: str = ""


def render(comparison: Comparison) -> str:
    """A comparison as one HTML document that loads nothing.

    Args:
        comparison: What was found; whatever is missing is left out.

    Returns:
        The document.
    """
    n, names = len({r.label for r in comparison.results}), {r.name for r in comparison.results}
    if len(names) == 1 < n:
        title = f"{names.pop()} at {n} settings on {comparison.spec.name}"
        return fill(make_page(comparison, title, "In short"))
    title = f"{counted(n, 'model')} compared on {comparison.spec.name}"
    return fill(make_page(comparison, title, "Which one to use"))


def write_report(comparison: Comparison, path: str | os.PathLike[str]) -> Path:
    """Write a comparison's report, whole or not at all.

    Args:
        comparison: What was found.
        path: The file; its folder is made where there is none.

    Returns:
        The path.
    """
    return write_page(render(comparison), Path(path))


def write_page(document: str, path: Path) -> Path:
    """Write a document, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, document.encode())
    return path


def make_page(comparison: Comparison, title: str, verdict: str) -> Page:
    """Gather what the template shows."""
    looks = choose_looks(comparison.results)
    main = [r for r in comparison.results if r.main] or comparison.results
    subject = Subject(comparison, looks, main)
    figures = (make(subject) for make in FIGURES)
    (_, table), *others = build_tables(main, looks)
    return Page(
        title=title,
        data=describe_data(comparison.spec),
        verdict=verdict,
        cards=tuple(
            (PURPOSES.get(f.purpose, _sentence(f.purpose)), f) for f in comparison.findings
        ),
        pairs=tuple(winners(comparison.pairs)),
        table=table,
        more_tables=tuple((_sentence(name), other) for name, other in others),
        figures=tuple(f for f in figures if f is not None),
        comparison=comparison,
        model_notes=tuple(
            dict.fromkeys((r.label, note) for r in comparison.results for note in r.notes)
        ),
        command=comparison.protocol.get(COMMAND) or _command(comparison),
    )


def fill(page: Page) -> str:
    """The template with this page in it."""
    environment = _environment()
    style = Markup(_style())
    template = environment.get_template("template.html")
    return template.render(page=page, style=style, protocol=_protocol(page.comparison))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(PACKAGE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    return (files(PACKAGE) / "style.css").read_text("utf-8")


def _protocol(comparison: Comparison) -> dict[str, str]:
    return {_sentence(k): v for k, v in comparison.protocol.items() if k != COMMAND}


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _command(comparison: Comparison) -> str:
    sizes = {r.latent_dim for r in comparison.results if r.main}
    size = f" --latent-dim {sizes.pop()}" if len(sizes) == 1 else ""
    return f"isthmus compare {shlex.quote(comparison.spec.name)}{size}"
