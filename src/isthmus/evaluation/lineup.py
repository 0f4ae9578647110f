"""Which models a comparison trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from isthmus.baselines import BASELINES
from isthmus.data import DataSpec
from isthmus.errors import OptionError
from isthmus.recipes import recipe_options
from isthmus.registry import RECIPES, did_you_mean

MAIN_RECIPES = ("linear-ae", "ae", "vae", "beta-vae", "sigma-vae")
ALL_LINEAR = "all-linear"
# The models whose figures at other code sizes answer how small the code may be.
SWEPT = ("pca", "ae")


@final
@dataclass(frozen=True)
class Entry:
    """One model to train and measure.

    Args:
        name: Of the recipe or baseline.
        learned: Whether it is a recipe.
        latent_dim: Z.
        main: Part of the main table, or only of the sweep over sizes.
        options: Of the recipe.
    """

    name: str
    learned: bool
    latent_dim: int
    main: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As tables show it."""
        options = ", ".join(f"{k}={v}" for k, v in self.options.items())
        return f"{self.name} ({options})" if options else self.name


def line_up(
    spec: DataSpec, models: Sequence[str] | None, latent_dim: int, latent_dims: Sequence[int] | None
) -> list[Entry]:
    """The entries of a comparison, baselines first.

    Raises:
        UnknownNameError: A name that is neither a recipe nor a baseline.
        OptionError: An option that the recipe does not take.
    """
    wanted = [ALL_LINEAR, *MAIN_RECIPES] if models is None else list(models)
    entries: list[Entry] = []
    for text in wanted:
        found = _all_linear(spec, latent_dim) if text == ALL_LINEAR else [_entry(text, latent_dim)]
        entries += [entry for entry in found if entry not in entries]
    if not entries:
        raise OptionError("No model to compare: name some, such as --models all-linear,ae,vae.")
    entries.sort(key=lambda entry: entry.learned)
    sizes = powers_below(latent_dim) if latent_dims is None else sorted(set(latent_dims))
    if any(size < 1 for size in sizes):
        raise OptionError(f"latent_dims={list(sizes)}: every code size must be at least 1.")
    swept = [entry for entry in entries if entry.name in SWEPT]
    return entries + [
        Entry(entry.name, entry.learned, size, False, entry.options)
        for entry in swept
        for size in sizes
        if size != latent_dim
    ]


def powers_below(latent_dim: int) -> list[int]:
    """2, 4, 8, ... below the main size, at most three: a learned model is trained at each."""
    powers = [1 << i for i in range(1, 12) if 1 << i < latent_dim]
    return powers[-3:]


def _entry(text: str, latent_dim: int) -> Entry:
    """One model from text such as `beta-vae:beta=8,kl_warmup=0.2`."""
    import yaml

    name, _, rest = text.partition(":")
    learned = name in RECIPES
    if not learned and name not in BASELINES:
        known = [*(e.name for e in RECIPES), *(e.name for e in BASELINES), ALL_LINEAR]
        raise did_you_mean("model", name, known)
    options = dict(_option(pair, text, yaml.safe_load) for pair in rest.split(",") if pair)
    known = list(recipe_options(name)) if learned else []
    for option in options:
        if option not in known:
            raise OptionError(str(did_you_mean(f"option of {name!r}:", option, known)))
    return Entry(name, learned, int(options.pop("latent_dim", latent_dim)), True, options)


def _option(pair: str, text: str, parse: Callable[[str], Any]) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    if not equals:
        raise OptionError(
            f"Model {text!r}: the option {pair!r} has no value; write it as {pair}=VALUE."
        )
    return key.strip().replace("-", "_"), parse(value)


# Which classical methods suit which support: LSA is PCA for counts, and NMF needs what is never
# negative.
LINEAR_METHODS = {
    "real": ("pca", "factor-analysis", "ica"),
    "unit": ("pca", "factor-analysis", "ica", "nmf"),
    "binary": ("pca", "factor-analysis", "ica", "nmf"),
    "count": ("pca", "lsa", "nmf"),
    "category": ("pca",),
}


def _all_linear(spec: DataSpec, latent_dim: int) -> list[Entry]:
    return [Entry(name, False, latent_dim) for name in LINEAR_METHODS[spec.support]]
