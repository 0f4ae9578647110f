"""How data and a likelihood meet: which one is taken, in which units the model sees the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

from isthmus.data.scaling import Scaling
from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.likelihoods import LIKELIHOODS, Likelihood, default_likelihood
from isthmus.registry import Pick

# Asked for on such values, another likelihood says what was meant: (support, asked) -> taken.
MEANT = {
    ("unit", "bernoulli"): "continuous-bernoulli",
    ("real", "bernoulli"): "continuous-bernoulli",
}
# Real values can be squeezed into the support of these by their range.
SQUEEZED = {("real", "continuous-bernoulli")}
# A table's columns have scales of their own; the pixels of an image share one.
BY_COLUMN = frozenset({"table"})
BETWEEN_0_AND_1 = frozenset({"unit", "binary"})


@final
@dataclass(frozen=True)
class Meeting:
    """A likelihood for data, and the map to the units in which it covers them.

    Args:
        likelihood: p(x|z).
        scaling: Between the data's units and the model's.
        notes: What was handled, in words.
    """

    likelihood: Likelihood
    scaling: Scaling
    notes: tuple[str, ...] = ()


def meet(
    spec: DataSpec, asked: str, preferred: str | Pick | None = None, scaling: str | None = None
) -> Meeting:
    """The likelihood `asked` for, made to cover the data.

    Args:
        spec: What the data are.
        asked: By name; "auto" takes the preferred one if it covers the data, else their default.
        preferred: Of a recipe, by name or with options of its own, which no other one gets.
        scaling: How a recipe's model sees values in [0, 1], as `Scaling` calls it; it is followed
            where the likelihood lets its data be moved.

    Raises:
        UnknownNameError: There is no such likelihood.
        OptionError: The likelihood does not cover the data's values.
    """
    chosen = Pick(asked)
    if asked == "auto":
        first = Pick(preferred) if isinstance(preferred, str) else preferred
        fits = first is not None and spec.support in supports_of(first.name)
        usual = Pick(default_likelihood(spec.support))
        chosen = first if first is not None and fits else usual
    taken = chosen.name
    supports = supports_of(taken)
    notes = []
    if (spec.support, taken) in MEANT:
        meant = MEANT[spec.support, taken]
        notes.append(
            f"{taken} is for values that are 0 or 1 and these are {spec.support}: {meant} takes "
            "its place."
        )
        taken = meant
    squeezed = (spec.support, taken) in SQUEEZED
    if squeezed:
        notes.append(
            "The values are squeezed into [0, 1] by their range in the training data; values "
            "beyond it are clipped."
        )
    elif spec.support not in supports_of(taken):
        raise OptionError(
            f"The likelihood {taken!r} covers {' and '.join(supports)} values, and these data are "
            f"{spec.support}: use likelihood='{default_likelihood(spec.support)}'."
        )
    extra = {"n_categories": spec.n_categories} if spec.n_categories else {}
    likelihood: Likelihood = LIKELIHOODS.create(taken, shape=spec.shape, **extra, **chosen.options)
    unit = "column" if spec.kind in BY_COLUMN else "datum"
    per = f"{unit}-range" if squeezed else unit if likelihood.affine else "none"
    if scaling is not None and likelihood.affine and spec.support in BETWEEN_0_AND_1:
        per = scaling
    return Meeting(likelihood, Scaling(spec.shape, per), tuple(notes))


def supports_of(likelihood: str) -> tuple[str, ...]:
    """The supports that a likelihood covers as they are."""
    return cast(type[Likelihood], LIKELIHOODS[likelihood].factory).supports
