"""Schedules in closed form, clipping against torch's own, and who moves what."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from isthmus.objectives import Elbo
from isthmus.training import Step, training_settings
from isthmus.training.devices import Processes
from isthmus.training.players import Player, backward, learning_rate, players_of


def test_the_rate_climbs_in_a_line_and_falls_in_half_a_cosine():
    settings = training_settings(warmup=0.2, floor=0.1)
    cases = {
        0.0: 1e-3,
        0.05: 0.25,
        0.1: 0.5,
        0.2: 1.0,
        0.4: 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 4)),
        0.6: 0.55,
        1.0: 0.1,
    }
    for progress, expected in cases.items():
        assert learning_rate(progress, settings) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_no_warm_up_and_nothing_else_are_allowed(warmup):
    settings = training_settings(warmup=warmup, floor=0.0)
    assert learning_rate(0.5, settings) == pytest.approx(0.5)
    assert learning_rate(1.0, settings) == pytest.approx(warmup)


@pytest.mark.parametrize("clip", [0.0, 0.1, 1e6])
def test_clipping_is_torch_s_own(clip):
    weights = nn.Parameter(torch.randn(7)), nn.Parameter(torch.empty(7))
    weights[1].data.copy_(weights[0].data)
    gradient = 5.0 * torch.randn(7)
    # SGD, for Adam forgets the gradient's scale.
    player = Player(None, [weights[0]], torch.optim.SGD([weights[0]], lr=1.0), peak=0.5)
    weights[0].grad = gradient.clone()
    player.step(clip, 0.2)
    weights[1].grad = gradient.clone()
    if clip:
        nn.utils.clip_grad_norm_([weights[1]], clip)
    torch.testing.assert_close(weights[0].data, weights[1].data - 0.1 * weights[1].grad)
    assert weights[0].grad is None


def test_a_critic_s_loss_reaches_only_the_critic_and_the_model_s_only_the_model(seams):
    model, objective = seams.small("adversarial", 5)
    step = Step(model, objective)
    players = players_of(step, training_settings())
    assert [player.critic for player in players] == [None, "code"]
    owned = [{id(p) for p in player.parameters} for player in players]
    assert owned[0] | owned[1] == {id(p) for p in step.parameters()}
    assert not owned[0] & owned[1]

    x = torch.randn(9, 5)
    loss = step(x)
    theirs = list(objective.critics.parameters())
    ours = list(model.parameters())
    expected = torch.autograd.grad(loss.total, ours, retain_graph=True)
    critic = torch.autograd.grad(loss.critics["code"], theirs, retain_graph=True)
    backward(players, loss, Processes())
    for p, gradient in zip((*ours, *theirs), (*expected, *critic), strict=True):
        torch.testing.assert_close(p.grad, gradient)


@pytest.mark.parametrize("moving", [0, 1])
def test_each_player_moves_its_own_parameters(moving, seams):
    model, objective = seams.small("adversarial", 5)
    step = Step(model, objective)
    players = players_of(step, training_settings())
    backward(players, step(torch.randn(9, 5)), Processes())
    before = {name: p.detach().clone() for name, p in step.named_parameters()}
    players[moving].step(0.0, 1.0)
    for name, p in step.named_parameters():
        critic = name.startswith("objective.critics")
        assert p.equal(before[name]) == (critic != bool(moving)), name


def test_the_optimisers_are_set_as_asked(seams):
    model, _ = seams.small("hierarchical", 5)
    (player,) = players_of(Step(model, Elbo()), training_settings(lr=3e-3, weight_decay=0.02))
    assert player.peak == 3e-3
    assert player.optimizer.param_groups[0]["weight_decay"] == 0.02
    model, objective = seams.small("adversarial", 5)
    _, critic = players_of(Step(model, objective), training_settings())
    assert critic.peak == 1e-3
    assert critic.optimizer.param_groups[0]["betas"] == (0.5, 0.9)
    assert critic.optimizer.param_groups[0]["weight_decay"] == 0.0
