"""Every setting of a training run, with defaults that work, stored with the run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from isthmus.errors import OptionError
from isthmus.registry import did_you_mean

# What an unset number of epochs aims at: steps enough on little data, few passes over much.
AIMED_STEPS = 6000
FEWEST_EPOCHS, MOST_EPOCHS = 10, 100


@final
class TrainingSettings(BaseModel):
    """How a model is trained.

    Args:
        epochs: Passes over the data; None takes as many as make about 6,000 steps (10 to 100).
        minutes: In place of epochs, a wall-clock budget; the schedules follow the clock.
        batch_size: Data per step and process.
        lr: AdamW's peak learning rate.
        weight_decay: AdamW's weight decay.
        warmup: Share of training in which the learning rate climbs.
        floor: Share of the peak at which the cosine ends.
        clip: Largest norm of the gradient; 0 switches clipping off.
        ema: Decay of a running average of the weights, such as 0.999, which is then what is judged
            and kept; 0 switches it off.
        train: The parts of the model that learn, such as decoder; the others stay as they are.
            None trains all.
        patience: Evaluations without a better held-out bound until training stops; 0: never.
        evaluations: About how often in a run the held-out bound is measured.
        seed: Of initialisation, order and noise.
        device: auto, cpu, cuda, cuda:1, mps.
        threads: CPU threads; auto measures a few steps at each count and takes the fastest.
        precision: float32, or bfloat16 where matrix products run in half precision.
        channels_last: Image tensors with their channels innermost.
        compile: Compile the step with torch.compile; on a GPU it is captured as a CUDA graph.
        log_every: Steps between two readings of the loss, which is also how soon NaN is noticed.
        checkpoint_seconds: Seconds between two checkpoints.
        tensorboard: Also write TensorBoard events into the run folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0)
    batch_size: int = Field(128, ge=1)
    lr: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warmup: float = Field(0.05, ge=0, le=1)
    floor: float = Field(0.01, ge=0, le=1)
    clip: float = Field(0.0, ge=0)
    ema: float = Field(0.0, ge=0, lt=1)
    train: tuple[str, ...] | None = Field(None, min_length=1)
    patience: int = Field(20, ge=0)
    evaluations: int = Field(60, ge=1)
    seed: int = Field(0, ge=0)
    device: str = "auto"
    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    compile: bool = False
    log_every: int = Field(50, ge=1)
    checkpoint_seconds: float = Field(30.0, gt=0)
    tensorboard: bool = False

    @field_validator("train", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Several names from one text, as they come from a command line."""
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    def total_steps(self, length: int, processes: int = 1) -> int:
        """Optimiser steps that the epochs make on `length` data."""
        per_epoch = self.steps_per_epoch(length, processes)
        epochs = self.epochs
        if epochs is None:
            epochs = min(max(round(AIMED_STEPS / per_epoch), FEWEST_EPOCHS), MOST_EPOCHS)
        return epochs * per_epoch

    def steps_per_epoch(self, length: int, processes: int = 1) -> int:
        """Optimiser steps in one pass over `length` data, the same for every process."""
        return length // (self.batch(length, processes) * processes)

    def batch(self, length: int, processes: int = 1) -> int:
        """Data in a step of one process: the batch size, or a process's share of fewer data.

        Raises:
            OptionError: There are more processes than data.
        """
        if length < processes:
            raise OptionError(
                f"{processes} processes cannot share {length} training data: use fewer processes."
            )
        return min(self.batch_size, length // processes)


def training_settings(**values: Any) -> TrainingSettings:
    """Settings from plain values.

    Raises:
        OptionError: An unknown setting or a value out of range, in one line.
    """
    for name in values:
        if name not in TrainingSettings.model_fields:
            known = TrainingSettings.model_fields
            raise OptionError(str(did_you_mean("training setting", name, known)))
    if values.get("epochs") is not None and values.get("minutes") is not None:
        raise OptionError(
            f"Both epochs={values['epochs']} and minutes={values['minutes']} were given: "
            "choose one budget."
        )
    try:
        return TrainingSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][:1])
        raise OptionError(
            f"Training setting {name}={first['input']!r}: {first['msg'].lower()}."
        ) from error
