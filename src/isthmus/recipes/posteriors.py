"""Variational autoencoders that differ in q(z|x): dependent, bent, heavy-tailed or moved."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.objectives import Elbo
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import Pick, pick
from isthmus.schedules import warm_up

FAMILY = "posteriors"
SHARE = 0.1


@recipe("full-covariance-vae", paper="1606.04934", year=2016, family=FAMILY)
def full_covariance_vae(
    spec: DataSpec, axes: Axes, rank: int | None = None, kl_warmup: float = SHARE
) -> Built:
    """A VAE whose Gaussian posterior has a full covariance, so its dimensions may depend on one
    another given the datum.

    Use it where a diagonal posterior costs likelihood and a mode and a closed-form rate are wanted;
    `rank` makes the covariance diagonal plus low rank, for wide codes.
    """
    return _with(pick("full-covariance", rank=rank), spec, axes, kl_warmup)


@recipe("iaf-vae", paper="1606.04934", year=2016, family=FAMILY, argmax=False)
def iaf_vae(
    spec: DataSpec,
    axes: Axes,
    flows: int = 2,
    width: int = 128,
    depth: int = 2,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose posterior is bent by inverse autoregressive flows, which read the encoder's
    features.

    Use it for a tighter bound than a Gaussian's where sampling must stay one pass.
    """
    posterior = pick("iaf", flows=flows, width=width, depth=depth)
    return _with(posterior, spec, axes, kl_warmup)


@recipe("planar-vae", paper="1505.05770", year=2015, family=FAMILY, argmax=False)
def planar_vae(spec: DataSpec, axes: Axes, flows: int = 8, kl_warmup: float = SHARE) -> Built:
    """A VAE whose Gaussian posterior is bent along one direction after another, all of them given
    by the encoder.

    Use it for few latent dimensions and few parameters; each flow bends a single direction.
    """
    return _with(pick("planar", flows=flows), spec, axes, kl_warmup)


@recipe("radial-vae", paper="1505.05770", year=2015, family=FAMILY, argmax=False)
def radial_vae(spec: DataSpec, axes: Axes, flows: int = 8, kl_warmup: float = SHARE) -> Built:
    """A VAE whose Gaussian posterior is drawn in to or pushed off centres given by the encoder.

    Use it where any code's log q is wanted in closed form; it bends less than Sylvester flows.
    """
    return _with(pick("radial", flows=flows), spec, axes, kl_warmup)


@recipe("sylvester-vae", paper="1803.05649", year=2018, family=FAMILY, argmax=False)
def sylvester_vae(
    spec: DataSpec,
    axes: Axes,
    flows: int = 4,
    columns: int = 16,
    reflections: int = 4,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE with planar flows along up to `columns` orthonormal directions at once, all of them
    given by the encoder.

    Use it for a flow posterior whose parameters all belong to the datum.
    """
    posterior = pick("sylvester", flows=flows, columns=columns, reflections=reflections)
    return _with(posterior, spec, axes, kl_warmup)


@recipe("spline-vae", paper="1906.04032", year=2019, family=FAMILY, argmax=False)
def spline_vae(
    spec: DataSpec,
    axes: Axes,
    flows: int = 2,
    bins: int = 8,
    width: int = 128,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose posterior is noise through monotone splines set by the datum.

    Use it where the posterior may be skewed or have several peaks, and log q of any code is asked
    for often.
    """
    posterior = pick("spline", flows=flows, bins=bins, width=width)
    return _with(posterior, spec, axes, kl_warmup)


@recipe("hvae", paper="1805.11328", year=2018, family=FAMILY, argmax=False)
def hvae(
    spec: DataSpec,
    axes: Axes,
    steps: int = 3,
    step_size: float = 0.02,
    inverse_heat: float = 0.3,
    kl_warmup: float = SHARE,
) -> Built:
    """A VAE whose posterior sample takes `steps` Hamiltonian steps along the gradient of
    log p(x, z) before it is decoded.

    Use it to close the gap that an amortised encoder leaves, at a decoder pass and back per step.
    """
    posterior = pick("hamiltonian", steps=steps, step_size=step_size, inverse_heat=inverse_heat)
    return _with(posterior, spec, axes, kl_warmup)


@recipe("rhvae", paper="2105.00026", year=2021, family=FAMILY, argmax=False)
def rhvae(
    spec: DataSpec,
    axes: Axes,
    steps: int = 3,
    step_size: float = 1e-3,
    inverse_heat: float = 0.3,
    centroids: int = 100,
    temperature: float = 1.5,
    regularisation: float = 0.01,
    kl_warmup: float = SHARE,
) -> Built:
    """An hvae whose steps follow a metric of the codes that is learned from the training data.

    Use it for few data and few dimensions, where the shape of the cloud of codes matters.
    """
    moves = {"steps": steps, "step_size": step_size, "inverse_heat": inverse_heat}
    shape = {"centroids": centroids, "temperature": temperature, "regularisation": regularisation}
    return _with(pick("riemannian", **moves, **shape), spec, axes, kl_warmup)


@recipe("laplace-vae", paper="1312.6114", year=2013, family=FAMILY)
def laplace_vae(spec: DataSpec, axes: Axes, kl_warmup: float = SHARE) -> Built:
    """A VAE whose posterior and prior are Laplace: most of a code near zero, a few entries far off.

    Use it where few factors act on a datum at once; the rate is in closed form.
    """
    return _with(pick("laplace"), spec, axes, kl_warmup, pick("laplace"))


@recipe("student-vae", paper="1312.6114", year=2013, family=FAMILY)
def student_vae(spec: DataSpec, axes: Axes, df: float = 5.0, kl_warmup: float = SHARE) -> Built:
    """A VAE whose posterior and prior are Student's t: far codes cost little, so outliers need not
    pull the others together.

    Use it for data with outliers; the prior has `df` degrees of freedom, the posterior starts there
    and learns its own.
    """
    return _with(pick("student", df=df), spec, axes, kl_warmup, pick("student", df=df))


def _with(
    posterior: Pick, spec: DataSpec, axes: Axes, kl_warmup: float, prior: Pick | None = None
) -> Built:
    objective = Elbo(warm_up(1.0, kl_warmup))
    prior = pick("standard-normal") if prior is None else prior
    return assemble(spec, axes, objective, posterior=posterior, prior=prior)
