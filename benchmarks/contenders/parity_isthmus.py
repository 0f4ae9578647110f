"""Isthmus' side of `parity.py`: its recipes at pythae's settings and in pythae's units.

usage: parity_isthmus.py FOLDER EPOCHS THREADS

A recipe's own Gaussian is standardised by the data's deviation; here its encoder, posterior, prior
and decoder are joined to a Gaussian of scale sqrt(1/2) on data as they are, whose negative log
density is the squared error and a constant.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import parity_cases as shared
import torch
from serving import Stopwatch, serve_jobs

from isthmus.data import load
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.objectives import Objective
from isthmus.priors import UniformCodes
from isthmus.recipes import build_recipe
from isthmus.training import TrainingSettings, train

FOLDER, EPOCHS, THREADS = Path(sys.argv[1]), *map(int, sys.argv[2:4])
torch.set_num_threads(THREADS)

_CODE = {
    "latent_dim": shared.WIDTH,
    "positions": shared.POSITIONS,
    "n_codes": shared.N_CODES,
    # pythae takes the mean over a datum's numbers where isthmus takes the sum.
    "commitment": shared.COMMITMENT / (shared.POSITIONS * shared.WIDTH),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "vae": {"kl_warmup": 0.0},
    "beta-vae": {"kl_warmup": 0.0, "beta": shared.BETA},
    "wae-mmd": {"scale": shared.MMD_WEIGHT},
    "vq-vae": _CODE,
    "vq-vae plain": _CODE | {"kmeans": False, "revive": 0.0},
    "rae-l2": {"beta": shared.NORM_WEIGHT},
    "rae-gp": {"beta": shared.NORM_WEIGHT, "smoothness": shared.SLOPE_WEIGHT},
}


def built(case: str, spec: Any) -> tuple[LatentModel, Objective]:
    options = {"latent_dim": shared.LATENT, **OPTIONS[case]}
    made = build_recipe(
        case.split()[0],
        spec,
        network="mlp",
        hidden=(shared.HIDDEN,),
        activation="relu",
        **options,
    )
    model = made.model
    if case not in shared.BINARY:
        squared = GaussianLikelihood(spec.shape, math.sqrt(0.5))
        posterior, prior = model.posterior, model.prior
        if case in shared.QUANTISED:
            # The recipe's own prior is fitted after training, which pythae's trainer does not do.
            prior = UniformCodes(posterior.code_shape, posterior.n_codes)
        model = LatentModel(model.encoder, posterior, prior, model.decoder, squared)
    return model, made.objective


def run(job: dict[str, Any]) -> dict[str, float]:
    case, seed = job["case"], job["seed"]
    path, start = shared.files(FOLDER, case, seed)
    arrays = shared.arrays(path)
    support = "binary" if case in shared.BINARY else "unit"
    data, held_out = (
        load(arrays[part], kind="table", support=support) for part in ("train", "validation")
    )
    model, objective = built(case, data.spec)
    vectors = model.posterior.codebook.vectors if case in shared.QUANTISED else None
    # Weights that were brought are the start; only a decoder of nobody's begins at the data's mean.
    model.decoder.fresh = job.get("own_start", False)
    shared.start_from(start, (model.encoder, model.posterior, model.decoder), vectors)
    settings = TrainingSettings(
        epochs=job.get("epochs", EPOCHS),
        batch_size=shared.BATCH,
        lr=shared.LR,
        weight_decay=0.0,
        warmup=0.0,
        floor=1.0,
        patience=0,
        evaluations=EPOCHS,
        seed=seed,
        threads=THREADS,
        device="cpu",
    )
    watch = Stopwatch()
    with watch:
        trained = train(model, objective, data, held_out, settings)
    own = min(r["validation/loss"] for r in trained.history if "validation/loss" in r)
    if case not in shared.BINARY:
        own -= 0.5 * math.log(math.pi) * data.spec.size
    write(model.eval(), case, seed, torch.from_numpy(arrays["test"]))
    return {"wall": watch.wall, "cpu": watch.cpu, "own": own}


@torch.no_grad()
def write(model: LatentModel, case: str, seed: int, x: torch.Tensor) -> None:
    noise = torch.from_numpy(shared.arrays(FOLDER / "noise.npz")["noise"])
    q = model.infer(x)
    if case in shared.BINARY:
        z = q.loc + q.scale * noise
        given = {"mean": q.loc, "scale": q.scale}
    else:
        z = q.rsample(torch.Size((1,)))
        given = {"mean": z[0].flatten(1)}
    if case in shared.QUANTISED:
        raw = model.posterior.head(model.encoder(x))
        given = {"mean": raw, "codes": z[0].flatten(1), "indices": q.indices}
    out = model.decoder(z.flatten(0, 1)).view(*z.shape[:2], -1)
    shared.write_outputs(FOLDER / f"isthmus-{case}-{seed}.npz", out=out, **given)


serve_jobs(run)
