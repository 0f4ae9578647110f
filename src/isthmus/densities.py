"""Another density of codes for a trained run: fitted now, drawn from by `sample`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast, final

import torch
from torch import Tensor

from isthmus.conditions import reads_condition
from isthmus.data import Source, load
from isthmus.errors import OptionError, RunError
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.priors import PRIORS, FittedPrior
from isthmus.registry import Pick, describe
from isthmus.resuming import DENSITY
from isthmus.store import read_config, save
from isthmus.training import is_finished
from isthmus.training.densities import FITTED_CODES, fit_to_codes
from isthmus.training.devices import own_random_state

# What `save` writes of its own accord.
WRITTEN = ("format", "versions", "model")


@final
class HeldOut(NamedTuple):
    """How well densities cover held-out codes.

    Args:
        density: Mean log density of the codes in nats, by what was fitted.
        prior: The same by the model's own prior; one-sample estimates where that is a model.
        codes: How many codes.
        mode: What of q(z|x) they are.
    """

    density: float
    prior: float
    codes: int
    mode: str


def fit_density(
    run: Run,
    data: Any,
    density: str | FittedPrior = "fitted-mixture",
    *,
    codes: str | None = None,
    seed: int = 0,
    **options: Any,
) -> LatentModel:
    """Fit a density to a trained run's codes, and let `sample` draw from it.

    Encoder, decoder and log p(x) stay as they are. Where the run has a folder, the density is
    stored there with the model.

    Args:
        run: Its model is replaced by one with this sampler.
        data: What it was trained on, in any form that `load` takes; its training part is read.
        density: "fitted-gaussian", "fitted-mixture", "fitted-flow", "autoregressive-codes" where
            codes are integers, or a `FittedPrior` of your own.
        codes: "mean" or "sample": what of q(z|x) it is fitted to; as the density has it by default.
        seed: Of the fit.
        **options: Of the density.

    Returns:
        The run's new model.

    Raises:
        OptionError: The density is none that is fitted after training, does not fit the codes, or
            would forget the condition that the model's prior reads.
        RunError: The run's training is not finished.
        UnknownNameError: There is no such density.
    """
    old = run.model
    _check(run)
    source = data if isinstance(data, Source) else load(data)
    device = next(old.parameters()).device
    with own_random_state(device, seed):
        if isinstance(density, str):
            options |= {} if codes is None else {"fitted_to": codes}
            density = _named(density, old, options)
        model = with_sampler(old, density.to(device))
        fit_to_codes(density, old, run.split.of(source)[0], seed)
    return _keep(run, model)


def drop_density(run: Run) -> LatentModel:
    """Let `sample` draw from the model's own prior again; what was fitted is forgotten.

    Returns:
        The run's new model.
    """
    return _keep(run, with_sampler(run.model, None))


def with_sampler(model: LatentModel, sampler: FittedPrior | None) -> LatentModel:
    """The same model, whose `sample` draws codes from `sampler`, or from its prior."""
    parts = (model.encoder, model.posterior, model.prior, model.decoder, model.likelihood)
    return LatentModel(*parts, model.scaling, sampler).eval()


@torch.no_grad()
def held_out_density(run: Run, data: Any, *, seed: int = 0) -> HeldOut:
    """What the fitted density and the model's own prior say of the test part's codes.

    Args:
        run: Of a model with a sampler.
        data: What it was trained on; at most 50,000 of its test part are read.
        seed: Of codes that are samples; the caller's random state stays as it is.

    Raises:
        OptionError: There is no density beside the prior.
    """
    model, source = run.model, data if isinstance(data, Source) else load(data)
    if model.sampler is None:
        raise OptionError("This run has no density beside its prior: fit one with fit_density.")
    density, prior, count = 0.0, 0.0, 0
    with own_random_state(next(model.parameters()).device, seed):
        for x, given in _held_out(run, source):
            z = model.encode(x, model.sampler.fitted_to, condition=given)
            # A prior that is made of the model's own posteriors is read as answers are.
            few = None if given is None else given[:1]
            p = model.eval().evidence(x[:1], condition=few).p
            density += float(model.sampler().log_prob(z).double().sum())
            prior += float(p.log_prob(z).double().sum())
            count += len(z)
    return HeldOut(density / count, prior / count, count, model.sampler.fitted_to)


def _held_out(run: Run, source: Source) -> Iterator[tuple[Tensor, Tensor | None]]:
    device, read = next(run.model.parameters()).device, 0
    for stored in run.split.of(source)[2].chunks(1024):
        batch = stored.to(device)
        yield batch.x, batch.condition
        read += len(batch)
        if read >= FITTED_CODES:
            return


def _check(run: Run) -> None:
    if reads_condition(run.model.prior):
        raise OptionError(
            "This model's prior p(z|c) depends on the condition, which a density of all codes "
            "would forget: keep the prior, or train with the prior 'standard-normal' (cvae)."
        )
    if run.folder is not None and is_finished(run.folder) is False:
        raise RunError(
            f"The training in {run.folder} is not finished: resume it with --resume, then fit a "
            "density."
        )


def _keep(run: Run, model: LatentModel) -> LatentModel:
    """Give a run its new model, and store it where the run has a folder."""
    before = describe(run.model.sampler)
    run.model = model
    if run.folder is None:
        return model
    kept = {k: v for k, v in read_config(run.folder).items() if k not in WRITTEN}
    # What the training left; a run that is resumed is compared with it.
    record = kept.pop(DENSITY, {"before": before})
    if describe(model.sampler) != record["before"]:
        kept[DENSITY] = record
    save(model, run.folder, **kept)
    return model


def _named(name: str, model: LatentModel, options: dict[str, Any]) -> FittedPrior:
    able = [e.name for e in PRIORS if issubclass(cast(type, e.factory), FittedPrior)]
    if name in PRIORS and name not in able:
        raise OptionError(
            f"The prior {name!r} is trained with its model, not fitted after it: use one of "
            f"{', '.join(able)}."
        )
    context: dict[str, Any] = {"latent_shape": model.latent_shape}
    if isinstance(model.posterior, DiscretePosterior):
        context |= {"code_shape": model.posterior.code_shape, "n_codes": model.posterior.n_codes}
    made: FittedPrior = PRIORS.create_for(Pick(name, options), context)
    return made
