"""The loop on the image autoencoder: half precision, blocks computed twice, crops, averages."""

from __future__ import annotations

import pytest
import torch

from isthmus.data import load
from isthmus.fitting import fit
from isthmus.recipes import build_recipe
from isthmus.training import Step, training_settings
from isthmus.training.devices import autocast

SMALL = {"channels": (8, 16), "layers": 1, "groups": 4, "latent_dim": 2}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures():
    """60 pictures of 3 x 20 x 24, each a sum of two waves."""
    generator = torch.Generator().manual_seed(1)
    rows, columns = torch.arange(20.0)[:, None] / 20, torch.arange(24.0) / 24
    turns = 6 * torch.rand(60, 3, 4, 1, 1, generator=generator)
    waves = torch.sin(turns[:, :, 0] * rows + turns[:, :, 1]) * torch.cos(
        turns[:, :, 2] * columns + turns[:, :, 3]
    )
    return (0.5 + 0.45 * waves).numpy()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls_on_random_crops_with_averaged_weights(precision, pictures):
    run = fit(
        load(pictures, crop=(8, 12), flip=True), "autoencoder-kl", **SMALL, checkpointing=True,
        precision=precision, ema=0.9, epochs=10, batch_size=6, threads=1, log_every=7, lr=5e-3,
        evaluations=4,
    )  # fmt: skip
    losses = [r["train/loss"] for r in run.history if "train/loss" in r]
    held_out = [r["validation/loss"] for r in run.history if "validation/loss" in r]
    # Of 338 nats log 2 for each of 288 numbers would stay of perfect pictures, 200 in all.
    assert sum(losses[-3:]) / 3 < losses[0] - 30
    assert held_out[-1] < held_out[0] - 4
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert run.model.shape == (3, 8, 12)


def one_step(spec, x, precision, checkpointing):
    """The gradients of a step, and the bytes that its graph keeps."""
    torch.manual_seed(4)
    built = build_recipe("autoencoder-kl", spec, **SMALL, checkpointing=checkpointing)
    step = Step(built.model, built.objective).train()
    kept: dict[int, int] = {}

    def keep(t):
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    torch.manual_seed(5)
    context = autocast(training_settings(precision=precision), CPU)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t), context():
        loss = step(x)
    bytes_kept = sum(kept.values()) - sum(p.nbytes for p in step.parameters())
    loss.total.backward()
    return {n: p.grad for n, p in step.named_parameters() if p.requires_grad}, bytes_kept


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_blocks_computed_twice_keep_less_and_give_equal_gradients(precision, pictures):
    source = load(pictures)
    x = next(source.chunks(8)).x
    (plain, kept), (again, fewer) = (
        one_step(source.spec, x, precision, checkpointing) for checkpointing in (False, True)
    )
    assert fewer < 0.5 * kept
    for name, gradient in plain.items():
        assert gradient.isfinite().all()
        torch.testing.assert_close(again[name], gradient, rtol=1e-5, atol=1e-5, msg=name)
