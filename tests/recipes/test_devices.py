"""Every recipe away from the CPU, on a machine without a GPU: what lies in the wrong place, and
where a training step waits for the device.

Each recipe is trained, asked and sampled on the device of `tests/elsewhere.py`, whose numbers are
the CPU's. So this shows that the tensors of a run and of a model's answers meet on one device, and
that no training step reads a number back, beyond what `WAITS` names. It shows nothing of what a
GPU computes, how fast, or in how much memory: no kernel of one runs, none is compiled or captured,
and what asks for "cuda" by name is not reached.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.fitting import fit
from isthmus.objectives import Elbo
from isthmus.recipes import build_recipe
from isthmus.registry import RECIPES
from isthmus.training import train
from isthmus.training.settings import training_settings

ROWS, BATCH = 36, 12
KMEANS = "first step: Codebook._start_once"
INTEGERS = "answer: check_indices"
OUTSIDE = "integers are checked before they index anything: a user may have given them"
# What a recipe waits for that cannot well be otherwise. A line that is no longer true fails.
WAITS = {
    "svae": {
        "step: _draw_angle": "it draws anew until every draw is accepted",
        "step: _angle_slope": "the nodes of its quadrature are constants of the host",
        "answer: _draw_angle": "as in a step",
    },
    "vq-vae": {KMEANS: "whether the codebook has begun is asked once", INTEGERS: OUTSIDE},
    "rvq-vae": {KMEANS: "once, as above", INTEGERS: OUTSIDE},
    "vq-gan": {KMEANS: "once, as above", INTEGERS: OUTSIDE},
    "fsq-vae": {INTEGERS: OUTSIDE},
    "lfq-vae": {INTEGERS: OUTSIDE},
}


class Waits(Counter):
    """Counts what is waited for, by what was under way and the function that waits."""

    def __init__(self, away):
        super().__init__()
        self.away = away

    def __call__(self, what):
        place = phase = None
        for name, variables in self.away.callers():
            place = place or name
            if name == "Course._take":
                phase = "step" if variables["self"].position.step else "first step"
            elif name.startswith("LatentModel.") and name.split(".")[1] in ANSWERS:
                phase = phase or "answer"
        if phase:
            self[f"{phase}: {place}"] += 1


ANSWERS = ("encode", "decode", "sample", "importance")


def images(recipe):
    """A few data that the recipe takes."""
    about, rng = RECIPES[recipe].about, np.random.default_rng(0)
    given = {"condition": np.array(list("abc") * (ROWS // 3))} if about["condition"] else {}
    return load(rng.uniform(size=(ROWS, 8, 8)).astype(np.float32), **given)


def real(rng):
    return load(rng.normal(size=(ROWS, 5)))


def with_gaps(rng):
    x = rng.normal(size=(ROWS, 5))
    return load(np.where(rng.uniform(size=x.shape) < 0.2, np.nan, x), missing=True)


def binary(rng):
    return load((rng.uniform(size=(ROWS, 5)) < 0.3).astype(np.float32))


def counts(rng):
    return load(rng.poisson(3.0, size=(ROWS, 5)), kind="counts")


def small(recipe, spec):
    """The recipe with small networks, and two steps for what is fitted afterwards."""
    built = build_recipe(recipe, spec, latent_dim=3, hidden=(8,))
    for density in (built.model.prior, built.model.sampler):
        for name in ("descent", "steps"):
            if hasattr(density, name):
                setattr(density, name, replace(getattr(density, name), steps=2))
    return built


def answer(model, x, given):
    """Ask a model everything."""
    modes = ("mean", "sample", "argmax") if model.posterior.has_mode else ("mean", "sample")
    for mode in modes:
        model.decode(model.encode(x, mode, **given), mode, **given)
    model.sample(len(x), "sample", **given)
    if model.posterior.has_density:
        model.log_likelihood(x, samples=4, **given)


def waits_of(recipe, data, away):
    """Train a small model of a recipe elsewhere and ask it everything; what was waited for."""
    waits = Waits(away)
    settings = training_settings(
        epochs=1, batch_size=BATCH, threads=1, evaluations=1, device=away.THERE.type
    )
    with away.elsewhere(waits) as there:
        built = small(recipe, data.spec)
        train(built.model, built.objective, data, data, settings)
        batch = next(data.chunks(2)).to(there)
        answer(
            built.model, batch.x, {} if batch.condition is None else {"condition": batch.condition}
        )
        for name, t in (*built.model.named_parameters(), *built.model.named_buffers()):
            assert t.device == there, name
    # What the first step does as all others do is said once.
    return {p for p in waits if not p.startswith("first ") or p.removeprefix("first ") not in waits}


@pytest.mark.parametrize("recipe", [entry.name for entry in RECIPES])
def test_it_trains_and_answers_on_one_device_and_no_step_waits_for_it(recipe, away):
    assert waits_of(recipe, images(recipe), away) == set(WAITS.get(recipe, ()))


@pytest.mark.parametrize(
    ("recipe", "data"),
    [("vae", real), ("miwae-imputation", with_gaps), ("vae", binary), ("vae", counts)],
)
def test_so_it_does_on_other_kinds_of_data(recipe, data, away):
    assert waits_of(recipe, data(np.random.default_rng(0)), away) == set()


@pytest.mark.parametrize("recipe", ["cvae", "ivae"])
def test_a_condition_on_the_host_is_brought_to_the_model(recipe, away):
    torch.manual_seed(0)
    data = images(recipe)
    host = next(data.chunks(2)).condition
    model = small(recipe, data.spec).model
    x = next(data.chunks(2)).x
    assert host is not None
    given = {"condition": host}
    here = model.encode(x, **given)
    with away.elsewhere(lambda what: None) as there:
        answer(model.to(there), x.to(there), given)
        torch.testing.assert_close(model.encode(x.to(there), **given).cpu(), here)


@pytest.mark.parametrize(
    "careless",
    [
        lambda total: total.item(),
        lambda total: total if total > 0 else -total,
        lambda total: total.detach().cpu(),
    ],
)
def test_a_step_that_waits_is_found(careless, away):
    with patch.object(Elbo, "forward", meddled(careless)):
        waits = waits_of("vae", images("vae"), away)
    assert waits == {"step: Step.forward"}


def meddled(careless):
    """The forward pass of an objective that then does something careless with its loss."""
    forward = Elbo.forward

    def worse(self, evidence):
        loss = forward(self, evidence)
        careless(loss.total)
        return loss

    return worse


def test_a_tensor_on_the_cpu_is_found(away):
    careless = meddled(lambda total: total + torch.zeros(1))
    refused = pytest.raises(away.MixedError, match=r"add.Tensor: \(\) on meta, \(1,\) on cpu")
    with patch.object(Elbo, "forward", careless), refused:
        waits_of("vae", images("vae"), away)


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda x: bool((x > 0).all()), ["read"]),
        (lambda x: x.tolist(), ["read"]),
        (lambda x: x.nonzero(), ["read"]),
        (lambda x: torch.linalg.cholesky(x @ x.T), ["read"]),
        (lambda x: x[x > 0], ["mask"]),
        (lambda x: x.index_put_((x > 0,), torch.zeros((), device=x.device)), []),
        (lambda x: x[torch.tensor([0, 1])], ["copy"]),
        (lambda x: x.new_tensor(2.0), ["copy"]),
        (lambda x: torch.tensor([2.0], device=x.device), ["copy"]),
        (lambda x: x.copy_(torch.ones(3, 3)), ["copy"]),
        (lambda x: x * torch.tensor(2.0), []),
        (lambda x: x.new_full((), 2.0) * torch.eye(3, device=x.device), []),
        (lambda x: torch.linalg.cholesky_ex(x @ x.T).L.double(), []),
        (lambda x: torch.distributions.Normal(x, x.exp(), validate_args=False).log_prob(x), []),
        (lambda x: torch.distributions.Normal(x, x.exp()), ["read", "read"]),
    ],
)
def test_what_the_host_waits_for_is_written_down(use, told, away):
    heard = []
    x = torch.eye(3)
    with away.elsewhere(heard.append) as there:
        y = x.to(there)
        heard.clear()
        use(y)
    assert heard == told


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x + torch.zeros(3, 3),
        lambda x: torch.cat([x, torch.zeros(1, 3)]),
        lambda x: x @ torch.ones(3),
        lambda x: torch.stack([x.sum(), torch.tensor(0.0)]),
        lambda x: torch.rand(3, device=x.device, generator=torch.Generator()),
    ],
)
def test_what_a_gpu_refuses_is_refused(use, away):
    with away.elsewhere(lambda what: None) as there, pytest.raises(away.MixedError):
        use(torch.eye(3).to(there))


# Of "meta" torch expects that nothing can be copied to it.
@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter.*:UserWarning")
@pytest.mark.parametrize("recipe", ["vae", "vae-gan"])
def test_a_run_is_resumed_there(recipe, away, stopping, tmp_path):
    options = {
        "latent_dim": 3, "hidden": (8,), "epochs": 4, "batch_size": BATCH, "threads": 1,
        "device": away.THERE.type, "log_every": 1, "checkpoint_seconds": 1e-9, "ema": 0.9,
    }  # fmt: skip
    with away.elsewhere(lambda what: None):
        go = partial(fit, images(recipe), recipe, **options)
        whole = go()
        with pytest.raises(KeyboardInterrupt):
            go(folder=tmp_path / "run", listeners=[stopping(4)])
        resumed = go(folder=tmp_path / "run", resume=True)
        mine, theirs = (
            {name: t.cpu() for name, t in run.model.state_dict().items()}
            for run in (resumed, whole)
        )
    assert all(mine[name].equal(theirs[name]) for name in theirs)


@pytest.mark.parametrize("recipe", ["vae", "vae-gan", "vq-vae"])
def test_its_numbers_are_those_of_the_cpu(recipe, away):
    data = images(recipe)
    found = []
    for device in ("cpu", away.THERE.type):
        settings = training_settings(epochs=1, batch_size=BATCH, threads=1, device=device)
        with away.elsewhere(lambda what: None):
            torch.manual_seed(3)
            built = small(recipe, data.spec)
            train(built.model, built.objective, data, data, settings)
            found.append({name: t.cpu() for name, t in built.model.state_dict().items()})
    assert found[0].keys() == found[1].keys()
    assert all(found[0][name].equal(found[1][name]) for name in found[0])
