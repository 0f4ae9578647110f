"""Fills the tables of these pages from the package itself: `python docs/make_tables.py`.

A page holds `<!-- table: NAME -->` and `<!-- end -->`; what stands between them is written here.
The tests check that the pages are as this script would leave them.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import isthmus
from isthmus.data import DATASETS, DataSpec
from isthmus.data.formats import FILES
from isthmus.errors import IsthmusError
from isthmus.evaluation import COLUMNS
from isthmus.likelihoods import LIKELIHOODS
from isthmus.objectives import OBJECTIVES
from isthmus.posteriors import POSTERIORS
from isthmus.priors import PRIORS
from isthmus.recipes import Axes, build_recipe, recipe_options
from isthmus.registry import RECIPES, Entry
from isthmus.training import TrainingSettings

PAGES = Path(__file__).parent
BLOCK = re.compile(r"(<!-- table: ([\w :-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
AXES = {"posterior": POSTERIORS, "prior": PRIORS, "objective": OBJECTIVES}
DIGITS = PAGES.parent / "benchmarks" / "results" / "recipes.json"
# What is shown of the digits: the figure's key and its heading.
FIGURES = {
    "r2": "R²",
    "log_p": "log p(x)",
    "elbo": "bound",
    "sample_auc": "AUC of samples",
    "prior_auc": "AUC of codes",
    "active": "active or L0",
    "bits": "bits",
    "usage": "share of codes in use",
    "seconds": "seconds",
}
DECIMALS = dict.fromkeys(("r2", "r2_integers", "sample_auc"), 3)
DECIMALS |= {"prior_auc": 2, "usage": 2, "bits": 0, "seconds": 0}
# One small data set of each kind, to ask a recipe whether it takes it.
KINDS = {
    "images": DataSpec("image", (1, 8, 8), "unit", 3),
    "tables": DataSpec("table", (4,), "real", 3),
    "zeros and ones": DataSpec("table", (4,), "binary", 3),
    "counts": DataSpec("counts", (4,), "count", 3),
}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"


def cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def code(value: object) -> str:
    return f"`{value}`"


def sentence(thing: Any) -> str:
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).replace(":math:", "")
    return re.split(r"(?<=[^.][.])\s(?=[A-Z])", text)[0]


def arguments(thing: Any) -> dict[str, str]:
    """What the `Args:` of a docstring say, by name."""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)*)", inspect.getdoc(thing) or "", re.MULTILINE)
    found: dict[str, str] = {}
    for line in section[1].splitlines() if section else []:
        started = re.match(r" {4}\**(\w+): (.*)", line)
        if started:
            name, found[started[1]] = started[1], started[2]
        elif line.strip() and found:
            found[name] += " " + line.strip()
    return found


def reference(paper: str) -> str:
    """An arXiv number with its address, anything else as it is."""
    return (
        f"[{paper}](https://arxiv.org/abs/{paper})" if re.fullmatch(r"\d+\.\d+", paper) else paper
    )


def default(value: object) -> str:
    return "–" if value is None else code(value)


def recipes() -> str:
    """All recipes, by family and year."""
    entries = sorted(RECIPES, key=lambda e: (e.about["family"], e.about["year"]))
    return table(
        ("recipe", "family", "year", "reference", "`argmax`", "log p(x)", "data"),
        [
            (
                f"[`{entry.name}`](#{entry.name})",
                entry.about["family"],
                entry.about["year"],
                reference(entry.about["paper"]),
                yes(entry.about["argmax"]),
                yes(has_density(entry)),
                ", ".join(takes(entry)),
            )
            for entry in entries
        ],
    )


def yes(truth: bool) -> str:
    return "yes" if truth else "no"


def takes(entry: Entry) -> dict[str, Any]:
    """The kinds of data that a recipe builds a model for, each with that model."""
    found = {}
    for kind, spec in KINDS.items():
        try:
            found[kind] = build_recipe(entry.name, spec, latent_dim=2).model
        except IsthmusError:
            continue
    return found


def has_density(entry: Entry) -> bool:
    return any(model.posterior.has_density for model in takes(entry).values())


def options_of(name: str) -> str:
    """A recipe's own options and the training settings that it brings."""
    own = {k: v for k, v in recipe_options(name).items() if k not in axes_defaults()}
    brought = RECIPES[name].about.get("training", {})
    lines = [f"{code(option)}, {value!r} by default" for option, value in own.items()]
    text = f"Own options: {'; '.join(lines)}.\n" if lines else "It has no options of its own.\n"
    if brought:
        said = ", ".join(f"`{k}={v}`" for k, v in brought.items())
        text += f"It trains with {said} unless you say otherwise.\n"
    return text


def axes_defaults() -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(Axes)}


def axes() -> str:
    """The options that every recipe takes."""
    said = arguments(Axes)
    return table(
        ("option", "default", "meaning"),
        [(code(name), default(value), said[name]) for name, value in axes_defaults().items()],
    )


def likelihoods() -> str:
    """All likelihoods, with the values that they cover."""
    rows = []
    for entry in LIKELIHOODS:
        factory: Any = entry.factory
        rows.append(
            (
                code(entry.name),
                code(factory.__name__),
                ", ".join(factory.supports),
                ", ".join(entry.about.get("default_for", ())) or "–",
                yes(factory.affine),
                sentence(factory),
            )
        )
    return table(("name", "class", "values", "default for", "scaled", "in a sentence"), rows)


def parts(axis: str) -> str:
    """All parts of an axis by name."""
    found = sorted(AXES[axis], key=lambda entry: entry.name)
    rows = [(code(e.name), code(e.factory.__name__), sentence(e.factory)) for e in found]
    return table(("name", "class", "in a sentence"), rows)


def columns() -> str:
    """The columns of a comparison."""
    better = {1: "more", -1: "less", 0: "–"}
    return table(
        ("column", "key in `metrics.json`", "unit", "better", "meaning"),
        [(c.title, code(c.key), c.unit or "–", better[c.better], c.help) for c in COLUMNS],
    )


def settings() -> str:
    """All training settings."""
    said = arguments(TrainingSettings)
    return table(
        ("setting", "default", "meaning"),
        [
            (code(name), default(field.default), said[name])
            for name, field in TrainingSettings.model_fields.items()
        ],
    )


def datasets() -> str:
    """The data sets that go by a name."""
    return table(("name", "what it is"), [(code(e.name), sentence(e.factory)) for e in DATASETS])


def files() -> str:
    """The file types that are read."""
    return table(("suffix", "what it holds"), [(code(e.name), sentence(e.factory)) for e in FILES])


def names() -> str:
    """All public names."""
    rows = []
    for name in sorted(isthmus._HOME, key=str.lower):
        module = isthmus._HOME[name].partition(":")[0]
        rows.append((code(name), code(module), sentence(getattr(isthmus, name))))
    return table(("name", "lives in", "in a sentence"), rows)


def on_digits() -> str:
    """What every recipe comes to on the digits, by family and year; other options come last."""
    found = on_disk()
    seeds = found["protocol"]["seeds"].replace(",", ", ")
    # Where trainings were kept says nothing of them.
    command = found["command"].removesuffix(" --out PATH")
    how = f"`{command}`, the means over seeds {seeds}:\n\n"
    means = digits()
    entries = sorted(RECIPES, key=lambda e: (e.about["family"], e.about["year"]))
    names = [entry.name for entry in entries if entry.name in means]
    heads = list(FIGURES.values())
    heads.insert(2, "over `vae`")
    rows = []
    for name in [*names, *(name for name in means if ":" in name)]:
        of = means[name]
        row = [figure(of, key) for key in FIGURES]
        row.insert(2, over_vae(of))
        row[1] += " (given the label)" if "told" in of else ""
        rows.append([code(name) if ":" in name else f"[`{name}`](#{name})", *row])
    return how + table(("recipe", *heads), rows)


def on_disk() -> dict[str, Any]:
    """What `benchmarks/recipes.py` wrote."""
    found: dict[str, Any] = json.loads(DIGITS.read_text(encoding="utf-8"))
    return found


def digits() -> dict[str, dict[str, Any]]:
    """The means over seeds, by recipe."""
    means = on_disk()["means"]
    # Of a sparse code that is the number to look at.
    return {name: of | {"active": of.get("l0", of["active"])} for name, of in means.items()}


def figure(of: Mapping[str, Any], key: str) -> str:
    if key not in of:
        return "–"
    return f"{of[key]:,.{DECIMALS.get(key, 1)}f}".replace("-", "−")


def over_vae(of: Mapping[str, Any], among: str = "{mean} ({least} to {most})") -> str:
    """How much more log p(x) than `vae` on the same splits: the mean, least and most."""
    over = of.get("over", [0.0])
    if "told" in of or not any(over):
        return "–"
    found = {"mean": mean(over), "least": min(over), "most": max(over)}
    return among.format(**{key: f"{nats:+.1f}" for key, nats in found.items()}).replace("-", "−")


def digits_of(name: str) -> str:
    """A recipe's figures on the digits in a line, then those with other options."""
    means = digits()
    said = f"**On digits** ([how](#what-each-comes-to-on-digits)). {in_words(means, name)}."
    for other in means:
        if other.startswith(f"{name}:"):
            options = ", ".join(map(code, other.partition(":")[2].split(",")))
            said += f" With {options}: {in_words(means, other)}."
    return said + "\n"


def in_words(means: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """The figures of a recipe that its line shows, in the order of the table."""
    of = means[name]
    words = FIGURES | {"active": "L0" if "l0" in of else "active dimensions"}
    words |= {"log_p": "log p(x|label)"} if "told" in of else {}
    left_out = {"seconds", "sample_auc", *(["active"] if "bits" in of else [])}
    said = {k: f"{words[k]} {figure(of, k)}" for k in FIGURES if k in of and k not in left_out}
    if "log_p" in of:
        gain = over_vae(of, "; {least} to {most} by seed").replace("–", "")
        beside = f" (`vae` {figure(means['vae'], 'log_p')}{gain})" if name != "vae" else ""
        said["log_p"] += f" nats{beside}"
        said["r2"] += f" ({figure(of, 'r2_integers')} from the integers)" if "bits" in of else ""
    return ", ".join(said.values())


TABLES: dict[str, Callable[..., str]] = {
    "on digits": on_digits,
    "digits": digits_of,
    "recipes": recipes,
    "options": options_of,
    "axes": axes,
    "likelihoods": likelihoods,
    "parts": parts,
    "columns": columns,
    "settings": settings,
    "datasets": datasets,
    "files": files,
    "names": names,
}


def filled(page: str) -> str:
    """A page with its tables as the package now has them.

    What follows the name of a table is handed on: `options: RECIPE`, `parts: AXIS`.
    """

    def fill(found: re.Match[str]) -> str:
        name, _, about = found[2].partition(": ")
        return found[1] + TABLES[name](*filter(None, [about])) + found[3]

    return BLOCK.sub(fill, page)


def main() -> None:
    """Rewrite the pages whose tables have changed."""
    for path in sorted(PAGES.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"filled {path.name}\n")


if __name__ == "__main__":
    main()
