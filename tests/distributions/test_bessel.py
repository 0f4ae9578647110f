"""Bessel functions against scipy's, over all orders and arguments that a sphere asks for."""

import pytest
import torch
from scipy import special

from isthmus.distributions.bessel import bessel_ratio, log_scaled_bessel

KAPPAS = [1e-2, 0.3, 1.0, 5.0, 40.0, 300.0, 1e3, 1e4]
DIMENSIONS = [2, 3, 4, 5, 8, 15, 16, 17, 33, 64]

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_values_are_scipy_s(dimension):
    order = dimension / 2 - 1
    x = torch.tensor(KAPPAS)
    reference = torch.from_numpy(special.ive(order, KAPPAS))
    above = torch.from_numpy(special.ive(order + 1, KAPPAS))
    torch.testing.assert_close(bessel_ratio(order, x), above / reference, rtol=1e-11, atol=0)
    expected = reference.log() - order * x.log()
    torch.testing.assert_close(log_scaled_bessel(order, x), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dimension", [2, 5, 64])
def test_gradients_are_finite_differences(dimension):
    order = dimension / 2 - 1
    x = torch.tensor([0.5, 2.0, 30.0], requires_grad=True)
    for function in (bessel_ratio, log_scaled_bessel):
        assert torch.autograd.gradcheck(lambda t, f=function: f(order, t), x, atol=1e-7)
        assert torch.autograd.gradgradcheck(lambda t, f=function: f(order, t), x, atol=1e-7)


def test_single_precision_neither_overflows_nor_loses_its_gradient():
    x = torch.tensor([1e-3, 1.0, 1e4, 1e6], dtype=torch.float32, requires_grad=True)
    for dimension in (2, 16, 64, 1000):
        value = log_scaled_bessel(dimension / 2 - 1, x)
        (slope,) = torch.autograd.grad(bessel_ratio(dimension / 2 - 1, x).sum(), x)
        assert value.isfinite().all()
        assert value.dtype == torch.float32
        assert (slope > 0).all()
