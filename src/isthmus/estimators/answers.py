"""Questions to a trained model: in the data's precision, on a device, by a seed of their own."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from isthmus.data import DataSpec
from isthmus.data.spec import ConditionColumn
from isthmus.model import LatentModel
from isthmus.outliers import RATE_SAMPLES
from isthmus.recipes import build_recipe
from isthmus.registry import RECIPES
from isthmus.training.devices import choose_device
from isthmus.training.threads import threads as cpu_threads

TWO_CLASSES = ConditionColumn("label", ("a", "b"))


@contextmanager
def answering(
    model: LatentModel, dtype: np.dtype, device: str, threads: int | str, seed: int
) -> Iterator[LatentModel]:
    """The model ready to answer; torch's random state comes back afterwards.

    Doubles are answered in doubles: then the answer for a row does not depend on which rows come
    with it, which single precision cannot promise.

    Args:
        model: On the CPU, in float32; it stays as it is.
        dtype: Of the data, float32 or float64.
        device: As in the training settings.
        threads: CPU threads, or "auto" for torch's own number.
        seed: Of whatever chance the answer takes.
    """
    place = choose_device(device)
    if place.type == "mps":  # It has no doubles.
        place = torch.device("cpu")
    wanted = torch.float64 if dtype == np.float64 else torch.float32
    with ExitStack() as stack:
        # Seeding torch seeds every GPU in use, so the states of all of them are kept.
        gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        stack.enter_context(torch.random.fork_rng(devices=gpus))
        if isinstance(threads, int):
            stack.enter_context(cpu_threads(threads))
        torch.manual_seed(seed)
        if place.type == "cpu" and wanted == torch.float32:
            yield model
        else:
            yield copy.deepcopy(model).to(place, wanted)


def log_likelihood_by_row(
    model: LatentModel, x: Tensor, samples: int, condition: Tensor | None = None
) -> Tensor:
    """The density log p(x) of each row, with noise that the row's own numbers determine.

    So a row scores the same in any order and any company, and the errors of different rows are
    independent. Call it where torch's random state is restored.

    Args:
        model: With a density.
        x: (N, *D), on the model's device.
        samples: Importance samples per row.
        condition: (N, C), for a conditional model.

    Returns:
        (N,) nats.
    """
    return by_row(
        x,
        lambda row, i: model.log_likelihood(
            row, samples, condition=None if condition is None else condition[i]
        ),
    )


def rate_by_row(model: LatentModel, x: Tensor, condition: Tensor | None = None) -> Tensor:
    """The rate KL(q(z|x) ‖ p(z)) of each row, with noise as `log_likelihood_by_row` has it.

    Args:
        model: With a density, in evaluation mode.
        x: (N, *D), on the model's device.
        condition: (N, C), for a conditional model.

    Returns:
        (N,) nats.
    """

    def ask(row: Tensor, i: slice) -> Tensor:
        told = None if condition is None else condition[i]
        return model.evidence(row, RATE_SAMPLES, condition=told, decoded=False).rate.detach()

    return by_row(x, ask)


def by_row(x: Tensor, ask: Callable[[Tensor, slice], Tensor]) -> Tensor:
    """What is said of each row of x (N, *D) alone, its noise determined by its own numbers.

    Args:
        x: On any device.
        ask: (the row (1, *D), where it stands) -> (1,).
    """
    answers = []
    rows = x.cpu().float().add(0.0).numpy()  # Adding 0 makes -0 a 0.
    for i, values in enumerate(rows):
        torch.manual_seed(zlib.crc32(values.tobytes()))
        place = slice(i, i + 1)
        answers.append(ask(x[place], place))
    return torch.cat(answers)


@lru_cache
def smallest(recipe: str) -> LatentModel:
    """The recipe built for a single number, to be asked what its kind of posterior can answer.

    Its code has two numbers: a sphere of one dimension is no sphere. A conditional one is told
    `TWO_CLASSES`.

    Raises:
        UnknownNameError: There is no such recipe.
    """
    told = RECIPES[recipe].about["condition"]
    spec = DataSpec("table", (1,), "real", 2, condition=(TWO_CLASSES,) if told else ())
    with torch.random.fork_rng(devices=[]):
        return build_recipe(recipe, spec, latent_dim=2, hidden=(1,)).model
