"""What every registered recipe keeps, on every kind of data: found in the registry, not listed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import isthmus
from isthmus.data import Source, load
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError, UnsupportedError
from isthmus.posteriors import DiscretePosterior
from isthmus.posteriors.base import NAMED
from isthmus.recipes import Built, build_recipe
from isthmus.registry import RECIPES
from isthmus.training import Step

LATENT, ROWS = 3, 48


def real_table(rng):
    return load(rng.normal(size=(ROWS, 2)) @ rng.normal(size=(2, 7)) + 4.0)


def grey_images(rng):
    return load(rng.uniform(size=(ROWS, 8, 8)).astype(np.float32))


def odd_images(rng):
    return load(rng.uniform(size=(ROWS, 7, 5, 3)).astype(np.float32))


def binary_table(rng):
    return load((rng.uniform(size=(ROWS, 6)) < 0.3).astype(np.float32))


def counts(rng):
    return load(rng.poisson(3.0, size=(ROWS, 9)), kind="counts")


DATA = {
    "real table": (real_table, ("table", "real", (7,))),
    "grey images": (grey_images, ("image", "unit", (1, 8, 8))),
    "odd RGB images": (odd_images, ("image", "unit", (3, 7, 5))),
    "binary table": (binary_table, ("table", "binary", (6,))),
    "counts": (counts, ("counts", "count", (9,))),
}


@dataclass
class Case:
    name: str
    source: Source
    x: torch.Tensor
    built: Built
    condition: torch.Tensor | None = None

    @property
    def model(self):
        return self.built.model

    def given(self, n=ROWS):
        """What n data are conditioned on, as a keyword; nothing for most recipes."""
        if self.condition is None:
            return {}
        return {"condition": self.condition[torch.arange(n) % ROWS]}


@pytest.fixture(params=DATA)
def source(request):
    make, expected = DATA[request.param]
    made = make(np.random.default_rng(0))
    assert (made.spec.kind, made.spec.support, made.spec.shape) == expected
    return made


@pytest.fixture(params=[entry.name for entry in RECIPES])
def case(request, source):
    torch.manual_seed(0)
    kinds = RECIPES[request.param].about["kinds"]
    if kinds and source.spec.kind not in kinds:
        with pytest.raises(OptionError, match=r"use the objective|take the recipe"):
            build_recipe(request.param, source.spec)
        pytest.skip(f"is for {kinds}")
    if RECIPES[request.param].about["condition"]:
        source = load(source, condition=np.array(list("abc") * (ROWS // 3)))
    built = build_recipe(request.param, source.spec, latent_dim=LATENT, hidden=(16,))
    built.model.scaling.fit(source)
    batch = next(source.chunks(ROWS))
    return Case(request.param, source, batch.x, built, batch.condition)


def test_evidence_has_the_sample_axis_first_and_the_loss_is_per_datum(case):
    objective = case.built.objective
    samples = objective.samples
    evidence = case.model.train().evidence(case.x, samples, objective.corruption, **case.given())
    D = case.source.spec.shape
    assert evidence.x.shape == (ROWS, *D)
    Z = case.model.latent_shape
    assert LATENT in Z or Z[0] > LATENT  # A code of both kinds lays the choices behind.
    assert (evidence.q.batch_shape, evidence.q.event_shape) == ((ROWS,), Z)
    assert evidence.z.shape == (samples, ROWS, *Z)
    assert (evidence.px.batch_shape, evidence.px.event_shape) == ((samples, ROWS), D)
    assert evidence.distortion.shape == (samples, ROWS)
    loss = objective(evidence)
    assert loss.total.shape == ()
    assert loss.total.isfinite()
    assert {term.shape for term in loss.terms.values()} == {(ROWS,)}
    assert evidence.has_density or not objective.needs_density


def test_every_parameter_gets_a_gradient(case):
    objective = case.built.objective.train()
    objective.progress.fill_(1.0)
    loss = Step(case.model.train(), objective)(case.x, **case.given())
    loss.total.backward()
    for name, p in case.model.named_parameters():
        if not p.requires_grad:  # of a density that is fitted after training
            continue
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert p.grad.abs().sum() > 0, name


def test_answers_have_the_shapes_of_the_data(case):
    D, model, x = case.source.spec.shape, case.model, case.x
    for mode in ("mean", "sample"):
        assert model.encode(x, mode, **case.given()).shape == (ROWS, *model.latent_shape)
    codes = model.encode(x, **case.given())
    for mode in ("mean", "sample", "argmax"):
        decoded = model.decode(codes, mode, **case.given())
        assert decoded.shape == (ROWS, *D)
        assert decoded.isfinite().all()
    assert model.reconstruct(x, **case.given()).shape == (ROWS, *D)
    for mode in ("mean", "sample", "argmax"):
        drawn = model.sample(5, mode, **case.given(5))
        assert drawn.shape == (5, *D)
        assert drawn.isfinite().all()
    if model.posterior.has_density:
        log_likelihood = model.log_likelihood(x, samples=4, **case.given())
        assert log_likelihood.shape == (ROWS,)
        assert log_likelihood.isfinite().all()
    else:
        with pytest.raises(UnsupportedError, match="recipe such as vae"):
            model.log_likelihood(x, samples=4, **case.given())


def test_samples_stay_in_the_support(case):
    drawn = torch.cat(
        [case.model.sample(50, mode, **case.given(50)) for mode in ("sample", "argmax")]
    )
    support = case.source.spec.support
    within = {
        "real": drawn == drawn,
        "unit": (drawn >= 0) & (drawn <= 1),
        "binary": (drawn == 0) | (drawn == 1),
        "count": (drawn >= 0) & (drawn == drawn.round()),
    }
    bounded = case.model.likelihood.supports != ("real", "unit")
    assert within[support].all() or not bounded


def test_encoding_is_deterministic_unless_a_sample_is_asked_for(case):
    model, x = case.model.train(), case.x
    assert model.encode(x, **case.given()).equal(model.encode(x, **case.given()))
    assert model.training
    sampled = model.encode(x, "sample", **case.given()), model.encode(x, "sample", **case.given())
    point_mass = not model.posterior.has_density
    assert sampled[0].equal(sampled[1]) == point_mass
    # A datum's code does not depend on its company.
    torch.testing.assert_close(
        model.encode(x, batch_size=5, **case.given()), model.encode(x, **case.given())
    )


def test_argmax_is_the_mode_or_is_refused_with_the_recipes_that_have_one(case):
    model, about = case.model, RECIPES[case.name].about
    assert about["argmax"] == model.posterior.has_mode
    if about["argmax"]:
        codes = model.encode(case.x, "argmax", **case.given())
        assert codes.equal(model.encode(case.x, "argmax", **case.given()))
        if isinstance(model.posterior, DiscretePosterior):
            assert codes.shape == (ROWS, *model.posterior.code_shape)
            assert (codes >= 0).all()
            assert (codes < model.posterior.n_codes).all()
            torch.testing.assert_close(
                model.decode(codes, **case.given()),
                model.reconstruct(case.x, "argmax", **case.given()),
            )
            return
        q = model.eval().infer(model.scaling(case.x), **case.given())
        if isinstance(q, DiagonalNormal):
            assert codes.equal(model.encode(case.x, "mean", **case.given()))
        with torch.no_grad():
            assert (q.log_prob(codes) >= q.log_prob(q.sample((20,)))).all()
        return
    with pytest.raises(UnsupportedError) as caught:
        model.encode(case.x, "argmax", **case.given())
    able = sorted((e.about["year"], e.name) for e in RECIPES if e.about["argmax"])
    assert all(name in str(caught.value) for _, name in able[:NAMED])
    assert "mode='mean'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stored_and_read_it_answers_the_same(case, tmp_path):
    model = case.model.eval()
    isthmus.save(model, tmp_path)
    read = isthmus.load(tmp_path)
    assert not read.training
    assert read.encode(case.x, **case.given()).equal(model.encode(case.x, **case.given()))
    assert read.reconstruct(case.x, **case.given()).equal(model.reconstruct(case.x, **case.given()))
    drawn = []
    for one in (model, read):
        torch.manual_seed(3)
        drawn.append(one.sample(4, "sample", **case.given(4)))
    assert drawn[0].equal(drawn[1])


def test_a_few_steps_lower_the_loss(case):
    step = Step(case.model, case.built.objective)
    case.built.objective.progress.fill_(1.0)
    optimizer = torch.optim.AdamW(case.model.parameters(), lr=3e-3)

    def judged():
        step.eval()
        torch.manual_seed(1)
        with torch.no_grad():
            return step(case.x, **case.given()).total.item()

    step(case.x, **case.given())
    before = judged()
    for _ in range(25):
        step.train()
        step(case.x, **case.given()).total.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert judged() < before


@pytest.mark.parametrize("entry", list(RECIPES), ids=lambda entry: entry.name)
def test_every_recipe_says_where_it_comes_from(entry):
    assert entry.about["paper"]
    assert 1980 < entry.about["year"] < 2030
    assert entry.about["family"]
    assert entry.summary.endswith(".")
    assert len(entry.factory.__doc__.split("\n\n")) >= 2, "say what to use it for"
