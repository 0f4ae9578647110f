"""What every registered likelihood must do, and what is peculiar to each."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from isthmus.errors import OptionError, UnknownNameError
from isthmus.likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    CategoricalLikelihood,
    DatumGaussianLikelihood,
    GaussianLikelihood,
    LaplaceLikelihood,
    Likelihood,
    NegativeBinomialLikelihood,
    OptimalGaussianLikelihood,
    SharedGaussianLikelihood,
    default_likelihood,
)
from isthmus.registry import build, describe

NAMES = [entry.name for entry in LIKELIHOODS]
OPTIONS: dict[str, dict[str, Any]] = {"categorical": {"n_categories": 4}}
S, B = 2, 3


def _make(name: str, shape: tuple[int, ...]) -> Likelihood:
    return LIKELIHOODS.create(name, shape=shape, **OPTIONS.get(name, {}))


def _values(likelihood: Likelihood, *batch: int) -> Tensor:
    shape = (*batch, *likelihood.shape)
    return {
        "real": torch.randn(shape),
        "unit": torch.rand(shape),
        "binary": torch.randint(0, 2, shape).float(),
        "count": torch.randint(0, 9, shape).float(),
        "category": torch.randint(0, 4, shape).float(),
    }[likelihood.supports[0]]


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, shape: tuple[int, ...]) -> None:
    likelihood = _make(name, shape)
    assert likelihood.parameter_shape()[1:] == shape
    parameters = torch.randn(S, B, *likelihood.parameter_shape(), requires_grad=True)
    p = likelihood(parameters)
    assert (p.batch_shape, p.event_shape) == ((S, B), shape)
    log_prob = p.log_prob(_values(likelihood, B))
    assert log_prob.shape == (S, B)
    log_prob.sum().backward()
    assert parameters.grad is not None
    assert (parameters.grad != 0).all()
    for name_, weight in likelihood.named_parameters():
        assert weight.grad is not None, name_
    assert p.mode.shape == p.sample().shape == (S, B, *shape)
    assert p.sample((6,)).shape == (6, S, B, *shape)


@pytest.mark.parametrize("name", NAMES)
def test_each_datum_is_read_by_its_own_parameters(name: str) -> None:
    likelihood = _make(name, (4,)).eval()
    parameters = torch.randn(S, B, *likelihood.parameter_shape())
    x = _values(likelihood, B)
    whole = likelihood(parameters).log_prob(x)
    alone = likelihood(parameters[1, 2]).log_prob(x[2])
    torch.testing.assert_close(whole[1, 2], alone)


@pytest.mark.parametrize("name", NAMES)
def test_description_round_trip(name: str) -> None:
    likelihood = _make(name, (2, 3))
    twin = build(json.loads(json.dumps(describe(likelihood))))
    assert type(twin) is type(likelihood)
    assert twin.shape == likelihood.shape
    twin.load_state_dict(likelihood.state_dict())
    parameters = torch.randn(S, B, *likelihood.parameter_shape())
    x = _values(likelihood, B)
    torch.testing.assert_close(
        twin.eval()(parameters).log_prob(x), likelihood.eval()(parameters).log_prob(x)
    )


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_outputs_are_summed_in_single(name: str) -> None:
    likelihood = _make(name, (300,))
    parameters = torch.randn(1, B, *likelihood.parameter_shape()).bfloat16()
    x = _values(likelihood, B)
    low = likelihood(parameters).log_prob(x)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, likelihood(parameters.float()).log_prob(x))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_decoder_is_named(name: str) -> None:
    likelihood = _make(name, (4,))
    with pytest.raises(OptionError, match="expected"):
        likelihood(torch.zeros(1, 2, 9, 4))


@pytest.mark.parametrize("name", NAMES)
def test_affine_likelihoods_follow_a_shift(name: str) -> None:
    likelihood = _make(name, (4,)).eval()
    if not likelihood.affine:
        assert "real" not in likelihood.supports
        return
    parameters, x = torch.randn(1, B, *likelihood.parameter_shape()), torch.randn(B, 4)
    moved = parameters.clone()
    moved[:, :, 0] += 3.0
    torch.testing.assert_close(
        likelihood(moved).log_prob(x + 3.0),
        likelihood(parameters).log_prob(x),
        rtol=1e-4,
        atol=1e-4,
    )


def test_default_likelihoods() -> None:
    expected = {
        "real": "gaussian-shared",
        "unit": "gaussian-shared",
        "binary": "bernoulli",
        "count": "negative-binomial",
        "category": "categorical",
    }
    for support, name in expected.items():
        assert default_likelihood(support) == name
        assert support in LIKELIHOODS[name].factory.supports
    with pytest.raises(UnknownNameError, match="Did you mean 'count'"):
        default_likelihood("counts")


@pytest.mark.parametrize(
    "make",
    [
        lambda: BernoulliLikelihood(()),
        lambda: BernoulliLikelihood((3, 0)),
        lambda: GaussianLikelihood((3,), scale=0.0),
        lambda: SharedGaussianLikelihood((3,), min_scale=-1.0),
        lambda: SharedGaussianLikelihood((3,), scale=0.1, min_scale=0.2),
        lambda: DatumGaussianLikelihood((3,), min_scale=1.5),
        lambda: OptimalGaussianLikelihood((3,), rate=0.0),
        lambda: CategoricalLikelihood((3,), n_categories=1),
        lambda: NegativeBinomialLikelihood((3,), inverse_dispersion=float("nan")),
    ],
)
def test_impossible_options(make: Any) -> None:
    with pytest.raises(OptionError, match="got"):
        make()


def test_a_fixed_gaussian_is_squared_error_as_a_density() -> None:
    likelihood = GaussianLikelihood((4,), scale=0.5)
    assert not list(likelihood.parameters())
    parameters, x = torch.randn(S, B, 1, 4), torch.randn(B, 4)
    expected = stats.norm.logpdf(x.numpy(), parameters[:, :, 0].numpy(), 0.5).sum(-1)
    np.testing.assert_allclose(likelihood(parameters).log_prob(x), expected, rtol=1e-5)


@pytest.mark.parametrize("per_element", [False, True])
def test_a_shared_scale_learns_the_residuals_deviation(per_element: bool) -> None:
    likelihood = SharedGaussianLikelihood((3,), per_element=per_element)
    deviation = torch.tensor([0.05, 0.2, 0.4]) if per_element else torch.tensor(0.1)
    x = torch.randn(2000, 3) * deviation
    optimiser = torch.optim.Adam(likelihood.parameters(), lr=1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        (-likelihood(torch.zeros(1, 2000, 1, 3)).log_prob(x).mean()).backward()
        optimiser.step()
    scale = likelihood(torch.zeros(1, 3)).stddev
    torch.testing.assert_close(scale, deviation.expand(3), rtol=0.08, atol=0)


def test_scales_start_where_asked_and_stay_above_their_bound() -> None:
    shared = SharedGaussianLikelihood((3,), scale=0.3, min_scale=1e-4)
    assert shared(torch.zeros(1, 3)).stddev[0].item() == pytest.approx(0.3)
    datum = DatumGaussianLikelihood((3,), min_scale=0.05)
    assert datum(torch.zeros(2, 3)).stddev[0].item() == pytest.approx(1.0)
    assert datum(torch.full((2, 3), -100.0)).stddev[0].item() == pytest.approx(0.05)
    with torch.no_grad():
        shared.scale.log_scale.fill_(-100.0)
    assert shared(torch.zeros(1, 3)).stddev[0].item() == pytest.approx(1e-4)


def test_a_laplace_scale_is_learned_or_fixed() -> None:
    assert [w.requires_grad for w in LaplaceLikelihood((3,)).parameters()] == [True]
    fixed = LaplaceLikelihood((3,), scale=0.5, learned=False)
    assert not [w for w in fixed.parameters() if w.requires_grad]
    x = torch.randn(B, 3)
    expected = stats.laplace.logpdf(x.numpy(), 0.0, 0.5).sum(-1)
    np.testing.assert_allclose(fixed(torch.zeros(B, 1, 3)).log_prob(x), expected, rtol=1e-5)


def test_the_negative_binomials_dispersion_is_one_per_element() -> None:
    likelihood = NegativeBinomialLikelihood((2, 3), inverse_dispersion=4.0)
    assert [w.shape for w in likelihood.parameters()] == [(2, 3)]
    p = likelihood(torch.zeros(B, 1, 2, 3))
    torch.testing.assert_close(p.variance, torch.full((B, 2, 3), 1.25))


@pytest.mark.parametrize("name", NAMES)
def test_masses_and_only_they_sum_to_one_over_whole_values(name: str) -> None:
    likelihood = _make(name, (1,)).eval()
    values = {"binary": 2, "category": 4}.get(likelihood.supports[0], 4000)
    parameters = torch.randn(1, 1, *likelihood.parameter_shape())
    x = torch.arange(float(values)).reshape(-1, 1)
    if likelihood.supports[0] == "real":
        x = x / 2 - values / 4
    if likelihood.supports[0] == "unit":
        x = x / (values - 1)
    total = float(likelihood(parameters).log_prob(x[:, None]).exp().sum().detach())
    assert (abs(total - 1.0) < 1e-3) == likelihood.is_mass
