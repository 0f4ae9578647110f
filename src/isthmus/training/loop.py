"""The training loop: the one that trains every model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor, nn

from isthmus.data import Batch, DataDriven, Source, place
from isthmus.model import LatentModel
from isthmus.objectives import Loss, Objective
from isthmus.schedules import Paced
from isthmus.training.best import Best
from isthmus.training.checkpoints import Checkpoint, Position
from isthmus.training.clock import Clock
from isthmus.training.codes import code_figures
from isthmus.training.densities import fit_waiting, start_due
from isthmus.training.devices import (
    Processes,
    autocast,
    choose_device,
    distributed,
    own_random_state,
    processes,
)
from isthmus.training.events import Audience, Listener, Record
from isthmus.training.meter import Meter, broken, named_means
from isthmus.training.players import Step, backward, learning_rate, players_of
from isthmus.training.settings import TrainingSettings
from isthmus.training.signals import Interruption
from isthmus.training.threads import Choice, Pace, choose_threads, threads

# Held-out data are judged with the same noise every time: the bound moves with the model alone.
EVALUATION_SEED = 20_131


@final
@dataclass
class Trained:
    """What a run ended with.

    Args:
        model: With the best weights, in evaluation mode.
        position: Where the run stands.
        history: The records of this life of the run.
        notes: What was handled on the way, in words.
    """

    model: LatentModel
    position: Position
    history: list[Record] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def train(
    model: LatentModel,
    objective: Objective,
    training: Source,
    validation: Source,
    settings: TrainingSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> Trained:
    """Train a model, keeping the weights with the best held-out loss.

    Args:
        model: Trained in place.
        objective: What is minimised.
        training: The data to learn from.
        validation: The data that decide which weights are best and when to stop.
        settings: How.
        folder: The run folder; nothing is written where it is None.
        resume: Go on from the folder's checkpoint.
        listeners: Who hears of the progress.

    Returns:
        The model with its best weights.

    Raises:
        TrainingError: A loss became NaN or infinite.
        RunError: The checkpoint to resume from is missing or cut.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run folder can be resumed.
    """
    device = choose_device(settings.device)
    with (
        processes(device) as group,
        own_random_state(device, settings.seed + group.rank),
        Interruption() as interruption,
    ):
        resume = group.agree(resume)
        step = Step(model, objective).to(device)
        paced = [m.get_buffer("progress") for m in step.modules() if isinstance(m, Paced)]
        if settings.channels_last:
            # torch's annotations lack this overload.
            step.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        players = players_of(step, settings)
        optimizers = [player.optimizer for player in players]
        meter = Meter(group)
        checkpoint = Checkpoint(folder, step, optimizers, meter, group)
        position = Position()
        writes = folder if group.leads else None
        best = Best(model, writes)
        if resume and folder is not None:
            position = checkpoint.read()
            best.reread(folder)
        else:
            position.notes = tuple(look(model, objective, training))
            best.keep()
        precision = autocast(settings, device)
        training, validation = place(training, device), place(validation, device)
        if not position.threads:
            position.threads, position.alone = _threads(step, training, settings, device, precision)
        clock = Clock(settings, len(training), group, position)
        heard: list[Record] = []
        files = (writes, position.step, settings.tensorboard)

        with (
            threads(position.threads),
            distributed(compiled(step, settings, device), group, len(players)) as run,
            best.restored(),
            Audience(listeners, heard, *files, group.leads) as audience,
        ):
            if not position.step:
                checkpoint.write(position)
            pace = Pace(position)
            step.train()
            for given in _batches(training, position, settings, group, device):
                if clock.over:
                    break
                for progress in paced:
                    progress.fill_(clock.progress)
                start_due(model, training, settings.seed, clock.progress)
                with precision():
                    loss = run(*given)
                backward(players, loss, group)
                factor = learning_rate(clock.progress, settings)
                for player in players:
                    player.step(settings.clip, factor)
                meter.add(loss)
                position.step += 1
                position.batch += 1

                read = clock.beats()
                if read:
                    clock.tick()
                    pace.judge()
                    means = meter.read(position.step, _rescue(position, folder))
                    audience.hear(clock.record("train", means))
                    if clock.evaluates():
                        held_out = evaluate(step, validation, settings.batch_size, precision)
                        held_out |= code_figures(model, validation, settings.batch_size)
                        _check_held_out(held_out, position, folder)
                        audience.hear(clock.record("validation", held_out))
                        agreed = group.agree(held_out["loss"])
                        if position.improved_by(agreed, objective.comparable):
                            best.keep()
                # Several processes can only stop together, where they all read.
                stop = (read or group.count == 1) and group.agree(interruption.wanted)
                if stop or clock.saves():
                    meter.check(position.step, _rescue(position, folder))
                    _check_weights(step, position, folder)
                    checkpoint.write(position)
                if stop:
                    raise KeyboardInterrupt
                if read:
                    pace.restart()

            if not position.finished:
                best.restore()
                fit_waiting(model, training, settings.seed)
                best.keep()
                position.finished = True
                checkpoint.write(position)
    return Trained(model, position, heard, position.notes)


@torch.no_grad()
def evaluate(
    step: Step,
    source: Source,
    batch_size: int,
    precision: Callable[[], AbstractContextManager[Any]],
) -> dict[str, float]:
    """The objective on held-out data, in nats per datum, with the same noise every time."""
    device = next(step.parameters()).device
    totals: dict[str, Tensor] = {}
    count = 0
    step.eval()
    with own_random_state(device, EVALUATION_SEED):
        for batch in source.chunks(batch_size):
            with precision():
                loss: Loss = step(*_given(batch.to(device)))
            for name, value in named_means(loss).items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value * len(batch)
            count += len(batch)
    step.train()
    return {name: value.item() / count for name, value in totals.items()}


def compiled(step: nn.Module, settings: TrainingSettings, device: torch.device) -> nn.Module:
    """The step compiled where the settings ask for it; on a GPU it is captured as a CUDA graph."""
    if not settings.compile:
        return step
    mode = "reduce-overhead" if device.type == "cuda" else None
    return cast(nn.Module, torch.compile(step, mode=mode))


def _batches(
    source: Source,
    position: Position,
    settings: TrainingSettings,
    group: Processes,
    device: torch.device,
) -> Iterator[tuple[Tensor, ...]]:
    """This process's batches from the position on, as many in an epoch as all others have."""
    per_epoch = settings.steps_per_epoch(len(source), group.count)
    while True:
        batches = source.epoch(
            settings.batch(len(source), group.count),
            seed=settings.seed,
            epoch=position.epoch,
            start=position.batch * group.count + group.rank,
            stride=group.count,
        )
        for batch in islice(batches, per_epoch - position.batch):
            x, *rest = _given(batch.to(device))
            images = settings.channels_last and x.dim() == 4
            yield x.contiguous(memory_format=torch.channels_last) if images else x, *rest
        position.epoch += 1
        position.batch = 0


def _given(batch: Batch) -> tuple[Tensor, ...]:
    """What a step reads of a batch: x, and the condition where there is one."""
    return (batch.x,) if batch.condition is None else (batch.x, batch.condition)


def look(model: LatentModel, objective: Objective, training: Source) -> list[str]:
    """Let the parts that want to see the training data see them, the scaling first."""
    notes = model.scaling.fit(training)
    for part in (*model.modules(), *objective.modules()):
        if isinstance(part, DataDriven):
            notes += part.see(training, model.scaling)
    return notes


def _threads(
    step: Step,
    source: Source,
    settings: TrainingSettings,
    device: torch.device,
    precision: Callable[[], AbstractContextManager[Any]],
) -> Choice:
    """The number of CPU threads: as set, or the fastest in a few measured steps."""
    if settings.threads != "auto":
        return Choice(settings.threads)
    if device.type != "cpu":
        return Choice(torch.get_num_threads())
    given = _given(next(source.epoch(settings.batch_size, seed=settings.seed, epoch=0)))

    def take(trial: nn.Module) -> None:
        with precision():
            loss = trial(*given)
        loss.total.backward()

    size = sum(p.numel() for p in step.parameters())
    return choose_threads(step, take, (size, tuple(given[0].shape), settings.precision))


def _check_held_out(held_out: dict[str, float], position: Position, folder: Path | None) -> None:
    for name, value in held_out.items():
        if not math.isfinite(value):
            raise broken(f"held-out {name}", value, position.step, _rescue(position, folder))


def _check_weights(step: Step, position: Position, folder: Path | None) -> None:
    """No checkpoint is written from which a run could only go on to break."""
    finite = torch.stack([torch.isfinite(p).all() for p in step.parameters()]).all()
    if not bool(finite):
        raise broken("weights", math.nan, position.step, _rescue(position, folder))


def _rescue(position: Position, folder: Path | None) -> str:
    """What can be said of the best weights when a run breaks."""
    where = "in the model again" if folder is None else f"safe in {folder}"
    if position.best_step < 0:
        return f"No held-out bound had been measured; the weights of the start are {where}."
    return f"The best weights, of step {position.best_step}, are {where}."
