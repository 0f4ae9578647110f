"""Models of data given something else: a label, a column, a time."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import Elbo, Iwae
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick
from isthmus.schedules import warm_up

FAMILY = "conditional"
SHARE = 0.1


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
def ivae(spec: DataSpec, axes: Axes, kl_warmup: float = SHARE) -> Built:
    """A VAE whose prior depends on an observed label or time, so that its sources are identified.

    Use it for nonlinear independent components: with enough different values of the condition the
    code equals the true sources up to order and scale. The decoder never sees the condition.
    """
    objective = Elbo(warm_up(1.0, kl_warmup))
    return assemble(spec, axes, objective, prior=pick("conditional"), reads=("encoder",))


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


@recipe("miwae-imputation", paper="1812.02633", year=2019, family=FAMILY)
def miwae_imputation(spec: DataSpec, axes: Axes, samples: int = 20) -> Built:
    """A VAE of data with gaps (NaN): the importance-weighted bound of the observed elements alone.

    Use it to learn from incomplete data (missing=True when loading, --missing) and to fill gaps in:
    `isthmus.impute`. Right where elements are missing at random; complete data train as iwae does.
    """
    return assemble(spec, axes, Iwae(samples), gaps=True)
