"""The short AdamW against torch's own, to the bit, and states that pass from one to the other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isthmus.training.adam import FusedAdamW, adam

OPTIONS = {"lr": 3e-3, "betas": (0.8, 0.95), "weight_decay": 0.03}


def _parameters(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (5,), (), (2, 3, 1)]
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=dtype)) for s in shapes]


def _steps(optimizer, parameters, seed, n=5, without=()):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        for i, p in enumerate(parameters):
            gradient = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            p.grad = None if i in without else gradient
        optimizer.step()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_steps_are_those_of_torch_to_the_bit(dtype):
    ours, theirs = _parameters(dtype), _parameters(dtype)
    mine, torch_s = adam(ours, **OPTIONS), torch.optim.AdamW(theirs, fused=True, **OPTIONS)
    assert type(mine) is FusedAdamW
    _steps(mine, ours, 1)
    _steps(torch_s, theirs, 1)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    # And they agree with the kernel that is not fused, to rounding.
    plain = _parameters(dtype)
    _steps(torch.optim.AdamW(plain, fused=False, foreach=False, **OPTIONS), plain, 1)
    torch.testing.assert_close(ours, plain)


def test_a_parameter_without_a_gradient_stays_and_counts_no_step():
    ours, theirs = _parameters(), _parameters()
    mine, torch_s = adam(ours, **OPTIONS), torch.optim.AdamW(theirs, fused=True, **OPTIONS)
    for optimizer, parameters in ((mine, ours), (torch_s, theirs)):
        _steps(optimizer, parameters, 1, n=2)
        _steps(optimizer, parameters, 2, n=2, without=(1, 2))
        _steps(optimizer, parameters, 3, n=2)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert mine.state[ours[1]]["step"] == 4
    assert mine.state[ours[0]]["step"] == 6


def test_its_state_is_read_by_torch_and_torch_s_by_it():
    ours, theirs = _parameters(), _parameters()
    mine, torch_s = adam(ours, **OPTIONS), torch.optim.AdamW(theirs, fused=True, **OPTIONS)
    _steps(mine, ours, 1)
    _steps(torch_s, theirs, 1)
    kept = mine.state_dict()["state"]
    mine.load_state_dict({**mine.state_dict(), "state": torch_s.state_dict()["state"]})
    torch_s.load_state_dict({**torch_s.state_dict(), "state": kept})
    _steps(mine, ours, 2)
    _steps(torch_s, theirs, 2)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_learning_rate_is_that_of_the_group():
    ours, theirs = _parameters(), _parameters()
    mine, torch_s = adam(ours, **OPTIONS), torch.optim.AdamW(theirs, fused=True, **OPTIONS)
    for optimizer, parameters in ((mine, ours), (torch_s, theirs)):
        for turn, lr in enumerate((1e-2, 1e-4, 0.0)):
            optimizer.param_groups[0]["lr"] = lr
            _steps(optimizer, parameters, turn, n=1)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_parameters_of_two_types_go_to_torch():
    mixed = [*_parameters(), *_parameters(torch.float64)]
    assert type(adam(mixed, **OPTIONS)) is torch.optim.AdamW


def test_a_loaded_count_of_steps_lies_beside_its_parameter():
    # The fused kernel of a GPU takes no other; a checkpoint is read onto the CPU.
    parameters = [nn.Parameter(torch.zeros(3, device="meta"))]
    optimizer = FusedAdamW(parameters, 1e-3)
    moments = {name: torch.zeros(3) for name in ("exp_avg", "exp_avg_sq")}
    state = {0: {"step": torch.tensor(7.0), **moments}}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    found = optimizer.state[parameters[0]]
    assert {name: t.device.type for name, t in found.items()} == dict.fromkeys(found, "meta")
