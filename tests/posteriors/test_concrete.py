"""The selector's draws against the Gumbel distribution, and that it finds what there is to find."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import isthmus
from isthmus.data import load
from isthmus.errors import OptionError, UnsupportedError
from isthmus.posteriors import ConcreteSelector
from isthmus.recipes import build_recipe
from isthmus.recipes.deterministic import columns

FEATURES, K = 5, 2


def test_a_cold_choice_has_the_frequencies_of_the_softmax(float64):
    """The argmax of logits and Gumbel noise is a draw of the categorical, at any temperature."""
    selector = ConcreteSelector(FEATURES, (1,), start=1e-3, end=1e-3).train()
    selector.logits.data.copy_(torch.tensor([[0.1, 1.2, -0.5, 0.7, 0.0]]))
    eye = torch.arange(1.0, FEATURES + 1).expand(1, -1)
    drawn = torch.cat([selector(eye).mean[:, 0] for _ in range(5_000)]).round().long() - 1
    found = torch.bincount(drawn, minlength=FEATURES) / len(drawn)
    expected = selector.logits[0].softmax(0).detach()
    torch.testing.assert_close(found.double(), expected, atol=0.025, rtol=0)


def test_the_temperature_falls_by_equal_factors_and_the_choice_is_then_hard(float64):
    selector = ConcreteSelector(FEATURES, (K,), start=10.0, end=0.1).train()
    for progress, temperature in ((0.0, 10.0), (0.5, 1.0), (1.0, 0.1)):
        selector.progress.fill_(progress)
        assert float(selector.scheduled(selector.temperature)) == pytest.approx(temperature)
    x = torch.randn(6, FEATURES)
    code = selector.eval()(x).mean
    for i, row in enumerate(selector.logits.tolist()):
        assert code[:, i].equal(x[:, int(np.argmax(row))])


def test_it_finds_the_columns_from_which_the_others_follow():
    rng = np.random.default_rng(0)
    source, noise = rng.normal(size=(400, 2)), rng.normal(size=(400, 4))
    blurred = source @ np.array([[1.0, 0.5, -1.0, 0.3], [0.2, -1.0, 0.6, 1.0]]) + noise
    # Columns 1 and 4 are the sources; the others mix them, and are blurred.
    x = np.insert(blurred, [1, 3], source, axis=1)
    run = isthmus.fit(
        load(x),
        "concrete-ae",
        latent_dim=2,
        hidden=(16,),
        epochs=150,
        lr=1e-2,
        batch_size=64,
        patience=0,
        threads=1,
    )
    assert sorted(run.model.posterior.chosen.tolist()) == [1, 4]
    assert sorted(columns(run.model, run.spec)) == sorted(
        run.spec.columns[i].name if run.spec.columns else str(i) for i in (1, 4)
    )
    data = torch.from_numpy(x).float()
    scaled = run.model.scaling(data)
    torch.testing.assert_close(run.model.encode(data), scaled[:, run.model.posterior.chosen])


def test_more_columns_than_there_are_are_taken_as_all_or_refused():
    spec = load(np.random.default_rng(0).normal(size=(20, 3))).spec
    built = build_recipe("concrete-ae", spec)
    assert built.model.latent_shape == (3,)
    assert "takes 3" in built.notes[-1]
    with pytest.raises(OptionError, match="latent_dim=2"):
        ConcreteSelector(2, (3,))
    with pytest.raises(UnsupportedError, match="concrete-ae"):
        columns(build_recipe("ae", spec).model, spec)
