"""Models of data given something else: a label, a column, a time."""

from __future__ import annotations

import math

from isthmus.data.spec import DataSpec
from isthmus.errors import OptionError
from isthmus.objectives import M2, Elbo, Iwae
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick
from isthmus.schedules import Exponential, Schedule, warm_up

FAMILY = "conditional"
SHARE = 0.1
# Of training, over which a price of the rate that starts high comes down to 1.
FALL = 0.6


@recipe("cvae", paper="Sohn et al., NeurIPS", year=2015, family=FAMILY, condition=True)
def cvae(
    spec: DataSpec, axes: Axes, prior: str = "standard-normal", kl_warmup: float = SHARE
) -> Built:
    """A VAE whose encoder and decoder are told a condition, so that the code holds the rest.

    Use it to sample for a given condition, and to ask what a datum would be under another. The
    prior "conditional" depends on the condition too: p(z|c) fits better where codes must differ by
    condition, but the code of a datum then no longer means the same under another one.
    """
    objective = Elbo(warm_up(1.0, kl_warmup))
    return assemble(spec, axes, objective, prior=pick(prior), reads=("encoder", "decoder"))


@recipe("ivae", paper="1907.04809", year=2019, family=FAMILY, condition=True)
def ivae(
    spec: DataSpec,
    axes: Axes,
    posterior: str = "full-covariance",
    noise: float = 0.1,
    kl_warmup: float = 0.0,
    kl_start: float = 1.0,
) -> Built:
    """A VAE whose prior depends on an observed label or time, so that its sources are identified.

    Use it for nonlinear independent components: with enough different values of the condition the
    code equals the true sources up to order and scale. The decoder never sees the condition.
    Real data have noise of a fixed scale, `noise` of a column's standard deviation. A factorised
    posterior (the paper's, "diagonal") pulls towards sources whose directions in x are orthogonal.
    With `kl_start` above 1 the rate's price falls from there to 1, as if the noise began larger by
    its root: what is coarse is settled first, which hard mixings take.
    """
    return assemble(
        spec,
        axes,
        Elbo(_price(kl_start, kl_warmup)),
        posterior=pick(posterior),
        prior=pick("conditional"),
        preferred=pick("gaussian", scale=noise),
        reads=("encoder",),
    )


def _price(start: float, share: float) -> Schedule:
    """The rate's price: climbing from 0 to 1, or falling from `start` to 1 by equal ratios.

    Raises:
        OptionError: `start` is below 1, or both a climb and a fall are asked for.
    """
    if not 1 <= start < math.inf or (start > 1 and share > 0):
        raise OptionError(
            f"kl_start={start} with kl_warmup={share}: the price of the rate either falls from "
            "kl_start, 1 or more, or climbs from 0 (kl_warmup above 0, kl_start=1)."
        )
    if start > 1:
        return Exponential(1.0, start, math.log(start) / FALL)
    return warm_up(1.0, share)


@recipe("semi-amortised", paper="1802.02550", year=2018, family=FAMILY)
def semi_amortised(
    spec: DataSpec, axes: Axes, steps: int = 5, pairs: int = 2, kl_warmup: float = SHARE
) -> Built:
    """A VAE whose encoder's guess is refined for each datum by gradient steps on its own bound.

    Use it for a tighter bound where the encoder lags behind the decoder: small data, strong
    decoders, data unlike the training's. A pass costs about 2 · pairs · (steps + 1) decoder passes.
    """
    posterior = pick("semi-amortised", steps=steps, pairs=pairs)
    return assemble(spec, axes, Elbo(warm_up(1.0, kl_warmup)), posterior=posterior)


@recipe("miwae-imputation", paper="1812.02633", year=2019, family=FAMILY, gaps=True)
def miwae_imputation(spec: DataSpec, axes: Axes, samples: int = 20) -> Built:
    """A VAE of data with gaps (NaN): the importance-weighted bound of the observed elements alone.

    Use it to learn from incomplete data (missing=True when loading in Python) and to fill gaps in:
    `isthmus impute`, `model.impute`. Right where elements are missing at random; complete data
    train as iwae does.
    """
    return assemble(spec, axes, Iwae(samples), gaps=True)


@recipe("m2", paper="1406.5298", year=2014, family=FAMILY, condition=True)
def m2(spec: DataSpec, axes: Axes, alpha: float = 3.0, kl_warmup: float = SHARE) -> Built:
    """A VAE whose code is a class beside numbers, learned from a few labels and many data without.

    Use it to classify where labels are scarce (`class_probabilities`, the estimators' `predict`),
    and to draw or rebuild a datum as another class. Labels are the condition: a column whose empty
    cells (NaN, None) are unlabelled, `missing=True`; in the estimators y = -1. `alpha` weighs the
    classifier's own loss against the bound of all data; the paper's 0.1 leaves few labels unheard.
    """
    classes = _one_label(spec, "m2")
    return assemble(
        spec,
        axes,
        M2(alpha, warm_up(1.0, kl_warmup)),
        posterior=pick("labelled", n_categories=classes),
        prior=pick("joint", n_categories=classes),
        reads=("posterior", "labelled decoder"),
    )


@recipe("ml-vae", paper="1705.08841", year=2017, family=FAMILY, condition=True)
def ml_vae(spec: DataSpec, axes: Axes, content: int = 0, kl_warmup: float = SHARE) -> Built:
    """A VAE of groups: the first half of a code, the content, is one for all members of a group.

    Use it to part what a group has in common from what varies within it; the condition is the
    group. The content of a group is the product of what its members say: many members, more sure.
    A datum alone is told less well than by a vae of that size: only the style is its own.
    """
    return _of_groups(spec, axes, content, "product", kl_warmup)


@recipe("group-vae", paper="1809.02847", year=2018, family=FAMILY, condition=True)
def group_vae(spec: DataSpec, axes: Axes, content: int = 0, kl_warmup: float = SHARE) -> Built:
    """A VAE of groups as ml-vae, the content of a group being the average of what its members say.

    Use it as ml-vae, where members are no independent evidence: ten pictures of one face need not
    make it ten times as sure. Each says the content as surely as its group does, too surely for a
    datum alone, whose bound and log p(x) are the lower for it.
    """
    return _of_groups(spec, axes, content, "average", kl_warmup)


def _of_groups(spec: DataSpec, axes: Axes, content: int, sharing: str, kl_warmup: float) -> Built:
    if not spec.condition:
        raise OptionError(
            "A recipe of groups needs to know them: load the data with condition='label', a column "
            "or an array that says which group each datum is of (--condition), or take 'vae'."
        )
    objective = pick(
        "group",
        content=content,
        sharing=sharing,
        zeros_alone=any(column.categories for column in spec.condition),
        beta=warm_up(1.0, kl_warmup),
    )
    return assemble(spec, axes, objective, reads=("objective",))


def _one_label(spec: DataSpec, name: str) -> int:
    """The number of classes of the one label that data are conditioned on.

    Raises:
        OptionError: They are conditioned on something else, or on nothing.
    """
    found = [len(column.categories) for column in spec.condition]
    if len(found) == 1 and found[0] > 1:
        return found[0]
    names = ", ".join(f"{column.name!r}" for column in spec.condition) or "nothing"
    raise OptionError(
        f"The recipe {name!r} learns one label of at least two classes, and these data are "
        f"conditioned on {names}: load them with condition='label', or one column of text or with "
        "gaps and missing=True (--condition, --missing)."
    )
