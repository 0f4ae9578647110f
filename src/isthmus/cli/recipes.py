"""`isthmus recipes`: which models there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isthmus.registry import Entry


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def recipes(name: str | None, as_json: bool) -> None:
    """List the models there are, or explain one."""
    from isthmus.registry import RECIPES

    entries = [RECIPES[name]] if name else list(RECIPES)
    if as_json:
        facts = [facts_of(entry) for entry in entries]
        click.echo(json.dumps(facts[0] if name else facts, indent=2, ensure_ascii=False))
    elif name:
        _explain(entries[0])
    else:
        _list(entries)


def facts_of(entry: Entry) -> dict[str, Any]:
    """All that is known of a recipe, as JSON values."""
    from isthmus.recipes import recipe_options

    return {
        "name": entry.name,
        "family": entry.about["family"],
        "year": entry.about["year"],
        "paper": entry.about["paper"],
        "summary": _sentence(entry),
        "options": recipe_options(entry.name),
        "argmax": bool(entry.about["argmax"]),
        "density": has_density(entry.name),
    }


def has_density(name: str) -> bool | None:
    """Whether a recipe's q(z|x) has a density, as log p(x) needs; None if no small model shows."""
    from isthmus.data import DataSpec
    from isthmus.errors import IsthmusError
    from isthmus.recipes import build_recipe

    for spec in (
        DataSpec("table", (4,), "real", 3),
        DataSpec("image", (1, 8, 8), "unit", 3),
        DataSpec("counts", (4,), "count", 3),
    ):
        try:
            return bool(build_recipe(name, spec, latent_dim=2).model.posterior.has_density)
        except IsthmusError:
            continue
    return None


def _sentence(entry: Entry) -> str:
    """The first sentence, without the article that a table does not need."""
    return entry.summary.split(". ")[0].rstrip(".")


def _list(entries: list[Entry]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    families = sorted({e.about["family"] for e in entries}, key=lambda f: _first_year(entries, f))
    for family in families:
        table = Table(
            title=family, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, expand=True
        )
        table.add_column("name", no_wrap=True)
        table.add_column("year", no_wrap=True)
        table.add_column("paper", ratio=2)
        table.add_column("what it is", ratio=5)
        members = [e for e in entries if e.about["family"] == family]
        for entry in sorted(members, key=lambda e: e.about["year"]):
            table.add_row(
                entry.name, str(entry.about["year"]), entry.about["paper"], _sentence(entry)
            )
        console.print(table)
    console.print(
        "One of them in full: isthmus recipes NAME. Train it: isthmus fit DATA --recipe NAME"
    )


def _first_year(entries: list[Entry], family: str) -> tuple[int, str]:
    return min(e.about["year"] for e in entries if e.about["family"] == family), family


def _explain(entry: Entry) -> None:
    import inspect

    facts = facts_of(entry)
    density = {True: "yes", False: "no", None: "depends on the data"}[facts["density"]]
    click.echo(f"{entry.name}: {facts['family']}, {facts['year']}, {reference(facts['paper'])}\n")
    click.echo(inspect.getdoc(entry.factory) or "")
    click.echo(f"\nargmax codes: {'yes' if facts['argmax'] else 'no'}    log p(x): {density}\n")
    click.echo("Options:")
    width = max(map(len, facts["options"]))
    for option, default in facts["options"].items():
        click.echo(f"  {option:<{width}}  {default}")
    click.echo(
        f"\nisthmus fit DATA --recipe {entry.name} -s model.{next(iter(facts['options']))}=..."
    )


def reference(paper: str) -> str:
    """A paper as a reader finds it: arXiv numbers get their address."""
    digits = paper.replace(".", "")
    return f"https://arxiv.org/abs/{paper}" if digits.isdigit() and "." in paper else paper
