"""Parts that learn, and parts that are held fixed."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import isthmus
from isthmus.answering import answering
from isthmus.errors import OptionError, UnknownNameError
from isthmus.fitting import fit
from isthmus.objectives import Elbo
from isthmus.training import Step, training_settings
from isthmus.training.devices import Processes
from isthmus.training.parts import held, learn
from isthmus.training.players import advance, backward, players_of


@pytest.fixture
def loaded(table, tiny, tmp_path):
    """A small trained VAE, read from its folder."""
    fit(table, "vae", folder=tmp_path / "first", **tiny)
    return isthmus.load(tmp_path / "first")


def state(model):
    return {name: t.clone() for name, t in model.state_dict().items()}


def test_the_decoder_alone_is_fine_tuned_from_loaded_weights(loaded, table, tmp_path):
    before = state(loaded)
    # Other data: what rests keeps the scaling that it was trained with.
    other = isthmus.load_data(3.0 * table.x.numpy() + 1.0)
    folder = tmp_path / "second"
    run = fit(
        other, loaded, objective=Elbo(), folder=folder, train=("decoder",), epochs=3, threads=1,
        batch_size=35, weight_decay=0.5, ema=0.5,
    )  # fmt: skip
    after = load_file(folder / "model.safetensors")
    for name, t in before.items():
        assert t.equal(after[name]) != name.startswith("decoder."), name
    assert all(p.requires_grad for p in run.model.parameters())
    stored = load_file(folder / "checkpoints" / "last.safetensors")
    assert {f"step.model.{name}" for name in before} <= stored.keys()
    moved = len(list(run.model.decoder.parameters()))
    kept = {name.split(".")[2] for name in stored if name.startswith("optimizer.0.")}
    assert len(kept) == moved
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["train"] == ["decoder"]
    numbers = [sum(p.numel() for p in m.parameters()) for m in (run.model.decoder, run.model)]
    assert f"only decoder learned: {numbers[0]:,} of {numbers[1]:,} parameters" in config["notes"]


def test_the_held_parts_get_no_gradient_and_rest(seams):
    model, objective = seams.small("adversarial", 5)
    model.encoder.add_module("dropout", nn.Dropout(0.5))
    model.encoder.add_module("running", nn.BatchNorm1d(3))
    with held(model, ("decoder.layers", "posterior")) as resting:
        step = Step(model, objective)
        learn(step, resting)
        assert model.training
        assert model.decoder.training
        assert objective.training
        assert not any(m.training for m in model.encoder.modules())
        assert not model.scaling.training
        players = players_of(step, training_settings())
        loss = step(torch.randn(9, 5))
        backward(players, loss, Processes())
        got = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
        assert got == {"decoder", "posterior"}
        # The critics learn as ever.
        assert all(p.grad is not None for p in objective.critics.parameters())
        before = state(model.encoder)
        advance(players, 0.5, training_settings())
        for name, t in model.encoder.state_dict().items():
            assert t.equal(before[name])
    assert all(p.requires_grad for p in model.parameters())


def test_a_shared_parameter_learns_with_either_part():
    model = nn.ModuleDict({"one": nn.Linear(3, 3), "two": nn.Linear(3, 3)})
    model["two"].weight = model["one"].weight
    with held(model, ("two",)):
        asking = {n for n, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
        assert asking == {"one.weight", "two.weight", "two.bias"}


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("decodr",), UnknownNameError, "Unknown part of the model 'decodr'. Did you mean 'decod"),
        (("decoder.layer",), UnknownNameError, r"Did you mean 'decoder\.layers'"),
        (("prior",), OptionError, "train=prior: nothing of that can learn; .* encoder, posterior"),
    ],
)
def test_a_part_that_there_is_not_is_refused(names, error, message, table, tiny):
    with pytest.raises(error, match=message):
        fit(table, "vae", train=names, **tiny)


def test_names_come_as_one_text_from_a_command_line():
    assert training_settings(train="decoder, posterior.head").train == (
        "decoder",
        "posterior.head",
    )
    for wrong in ((), 3, [1]):
        with pytest.raises(OptionError, match="Training setting train="):
            training_settings(train=wrong)


def test_evaluation_leaves_what_rests_at_rest(table, tiny):
    seen = []
    run = fit(table, "vae", **tiny)
    model = run.model
    model.encoder.register_forward_pre_hook(lambda m, _: seen.append(m.training))
    fit(table, model, objective=Elbo(), train=("decoder",), epochs=3, threads=1, batch_size=35)
    assert seen
    assert not any(seen)


def test_answers_leave_what_rests_at_rest():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)).train()
    model[0].eval()
    with answering(model):
        assert not any(part.training for part in model.modules())
    assert [part.training for part in model.modules()] == [True, False, True]
