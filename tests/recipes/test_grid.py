"""The whole grid: any posterior, prior, likelihood and objective trains a step or is refused."""

import itertools

import pytest
import torch

from isthmus.data import DataSpec, Resident
from isthmus.errors import OptionError
from isthmus.likelihoods import LIKELIHOODS
from isthmus.objectives import OBJECTIVES
from isthmus.posteriors import POSTERIORS
from isthmus.priors import PRIORS
from isthmus.recipes import build_recipe
from isthmus.training import Step, training_settings
from isthmus.training.devices import Processes
from isthmus.training.players import backward, players_of
from isthmus.training.start import look

SIZE, LENGTH = 6, 12
VALUES = {
    "real": torch.randn,
    "unit": torch.rand,
    "binary": lambda *shape: torch.rand(shape).round(),
    "count": lambda *shape: torch.randint(0, 5, shape).float(),
    "category": lambda *shape: torch.randint(0, 3, shape).float(),
}
OPTIONS = {"latent_dim": 3, "hidden": (8,), "network": "mlp"}
SETTINGS = training_settings(threads=1)


def names(registry):
    return sorted(entry.name for entry in registry if not entry.name.startswith("test-"))


def source(support, shape):
    categories = 3 if support == "category" else 0
    kind = "table" if len(shape) == 1 else "image"
    spec = DataSpec(kind, shape, support, LENGTH, n_categories=categories)
    return Resident(VALUES[support](LENGTH, *shape), spec)


def trains_or_is_refused(support="real", shape=(SIZE,), **axes):
    """One step of training, with finite losses and a gradient; or the reason why not."""
    data = source(support, shape)
    try:
        built = build_recipe("custom", data.spec, **{**OPTIONS, **axes})
    except OptionError as error:
        message = str(error)
        assert "\n" not in message
        return message
    torch.manual_seed(0)
    look(built.model, built.objective, data)
    step = Step(built.model, built.objective).train()
    players = players_of(step, SETTINGS)
    loss = step(data.x)
    assert loss.total.isfinite(), axes
    backward(players, loss, Processes())
    gradients = [p.grad for player in players for p in player.parameters if p.grad is not None]
    assert gradients, axes
    assert all(gradient.isfinite().all() for gradient in gradients), axes
    for player in players:
        player.step(0.0, 1.0)
    return None


# Posteriors whose features are maps.
MAPPED = {
    "spatial-gaussian": {
        "support": "unit",
        "shape": (1, 8, 6),
        "network": "kl",
        "hidden": (4,),
    }
}


@pytest.mark.parametrize("posterior", names(POSTERIORS))
def test_a_posterior_with_every_prior_and_objective(posterior):
    trained = 0
    for prior, objective in itertools.product(names(PRIORS), names(OBJECTIVES)):
        refusal = trains_or_is_refused(
            posterior=posterior, prior=prior, objective=objective, **MAPPED.get(posterior, {})
        )
        trained += refusal is None
    assert trained, f"nothing trains with the posterior {posterior}"


@pytest.mark.parametrize("likelihood", names(LIKELIHOODS))
def test_a_likelihood_with_every_objective_and_posterior(likelihood):
    support = LIKELIHOODS[likelihood].factory.supports[0]
    pairs = [("diagonal", objective) for objective in names(OBJECTIVES)]
    pairs += [(posterior, objective) for posterior in names(POSTERIORS) for objective in ("elbo",)]
    refusals = [
        trains_or_is_refused(
            support, likelihood=likelihood, posterior=posterior, objective=objective
        )
        for posterior, objective in pairs
    ]
    assert None in refusals


# What a name alone cannot say: these are refused with what they need.
NEEDS_MORE = {"conditional": "condition", "latent-model": "model", "fitted-model": "model"}


@pytest.mark.parametrize("prior", names(PRIORS))
def test_every_prior_has_a_posterior_that_it_meets_or_says_what_it_needs(prior):
    refusals = [
        trains_or_is_refused(
            posterior=posterior, prior=prior, objective=objective, **MAPPED.get(posterior, {})
        )
        for posterior in names(POSTERIORS)
        for objective in ("elbo", "reconstruction")
    ]
    if prior in NEEDS_MORE:
        assert all(refusal and NEEDS_MORE[prior] in refusal for refusal in refusals)
    else:
        assert None in refusals, refusals


# Objectives that are about one kind of model or data.
HOMES = {
    "joint-capacity": {"posterior": "joint", "prior": "joint"},
    "m2": {"posterior": "labelled", "prior": "joint"},
    "vade": {"prior": "mixture"},
    "kl-gan": {"support": "unit", "shape": (1, 12, 12)},
    "ms-ssim": {"support": "unit", "shape": (1, 12, 12)},
}


@pytest.mark.parametrize("objective", names(OBJECTIVES))
def test_every_objective_has_a_model_that_it_meets(objective):
    if objective in HOMES:
        assert trains_or_is_refused(objective=objective, **HOMES[objective]) is None
        return
    refusals = [
        trains_or_is_refused(posterior=posterior, objective=objective)
        for posterior in names(POSTERIORS)
    ]
    assert None in refusals, refusals


IMAGE = {"support": "unit", "shape": (1, 16, 17), "network": "map", "hidden": (4,)}


def test_a_network_of_feature_maps_with_every_posterior_prior_and_objective():
    by_posterior = {
        posterior: trains_or_is_refused(posterior=posterior, objective=objective, **IMAGE)
        for posterior in names(POSTERIORS)
        for objective in ("elbo", "reconstruction")
    }
    trained = {posterior for posterior, refusal in by_posterior.items() if refusal is None}
    assert {"diagonal", "delta"} <= trained
    for posterior in ("diagonal", "vq"):
        objective = "elbo" if posterior == "diagonal" else "reconstruction"
        refusals = {
            prior: trains_or_is_refused(
                posterior=posterior, prior=prior, objective=objective, **IMAGE
            )
            for prior in names(PRIORS)
        }
        home = "standard-normal" if posterior == "diagonal" else "pixelcnn"
        assert refusals[home] is None
    for objective in names(OBJECTIVES):
        trains_or_is_refused(objective=objective, **IMAGE)
