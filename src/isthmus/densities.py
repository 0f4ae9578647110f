"""Another density of codes for a trained run: fitted now, drawn from by `sample`."""

from __future__ import annotations

from typing import Any, cast

from isthmus.data import Source, load
from isthmus.errors import OptionError
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.priors import PRIORS, FittedPrior
from isthmus.registry import Pick
from isthmus.store import read_config, save
from isthmus.training.densities import fit_to_codes
from isthmus.training.devices import own_random_state

# What `save` writes of its own accord.
WRITTEN = ("format", "versions", "model")


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
        density: "fitted-gaussian", "fitted-mixture", "fitted-flow", or a `FittedPrior` of your own.
        codes: "mean" or "sample": what of q(z|x) it is fitted to; as the density has it by default.
        seed: Of the fit.
        **options: Of the density.

    Returns:
        The run's new model.

    Raises:
        OptionError: The density is none that is fitted after training, or does not fit the codes.
        UnknownNameError: There is no such density.
    """
    old = run.model
    source = data if isinstance(data, Source) else load(data)
    device = next(old.parameters()).device
    with own_random_state(device, seed):
        if isinstance(density, str):
            options |= {} if codes is None else {"fitted_to": codes}
            density = _named(density, old, options)
        model = LatentModel(
            old.encoder,
            old.posterior,
            old.prior,
            old.decoder,
            old.likelihood,
            old.scaling,
            density.to(device),
        ).eval()
        fit_to_codes(density, old, run.split.of(source)[0], seed)
    run.model = model
    if run.folder is not None:
        kept = {k: v for k, v in read_config(run.folder).items() if k not in WRITTEN}
        save(model, run.folder, **kept)
    return model


def _named(name: str, model: LatentModel, options: dict[str, Any]) -> FittedPrior:
    able = [e.name for e in PRIORS if issubclass(cast(type, e.factory), FittedPrior)]
    if name in PRIORS and name not in able:
        raise OptionError(
            f"The prior {name!r} is trained with its model, not fitted after it: use one of "
            f"{', '.join(able)}."
        )
    made: FittedPrior = PRIORS.create_for(Pick(name, options), {"latent_shape": model.latent_shape})
    return made
