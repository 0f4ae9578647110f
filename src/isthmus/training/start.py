"""What happens before the first step: parts look at the data, and the decoder begins at their mean.

A last layer as PyTorch draws it says of every pixel that it is as likely black as white, and of
every word that it occurs once in a datum. The first hundreds of steps then go into saying the
data's mean through the weights, and move all codes together while they do. Set in the bias
beforehand it costs one look at the data, and the code has only to say how a datum differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from isthmus.data import DataDriven, Source
from isthmus.likelihoods import Likelihood
from isthmus.model import LatentModel
from isthmus.networks import Decoder
from isthmus.objectives import Objective
from isthmus.training.parts import Resting

# So many data, or numbers, tell a mean well enough.
ROWS = 8_192
NUMBERS = 2**26
BATCH = 1024


def look(
    model: LatentModel, objective: Objective, training: Source, resting: Resting = ()
) -> list[str]:
    """Let the parts that want to see the training data see them, the scaling first.

    What rests has seen its data.
    """
    asleep = {id(module) for part in resting for module in part.modules()}
    notes = [] if id(model.scaling) in asleep else model.scaling.fit(training)

    def scale(x: Tensor) -> Tensor:
        # The model is on its device already, and the data are not.
        scaled: Tensor = model.scaling(x.to(model.scaling.shift.device))
        return scaled

    for part in (*model.modules(), *objective.modules()):
        if isinstance(part, DataDriven) and id(part) not in asleep:
            notes += part.see(training, scale)
    if id(model.decoder) not in asleep:
        start_at_mean(model.decoder, model.likelihood, training, scale)
    return notes


@torch.no_grad()
def start_at_mean(
    decoder: Decoder,
    likelihood: Likelihood,
    training: Source,
    scale: Callable[[Tensor], Tensor],
) -> None:
    """Begin a decoder that has not learned anything yet at the mean of the data.

    Args:
        decoder: Left as it is where it was trained or loaded before.
        likelihood: That reads what the decoder puts out.
        training: In the data's units.
        scale: x (B, *D) in the data's units -> as the model's networks see it.
    """
    bias = decoder.last_bias() if decoder.fresh else None
    decoder.fresh = False
    if bias is None:
        return
    data = _some(training, scale)
    if bias.numel() < likelihood.parameter_shape().numel():
        data = map(_by_position, data)
    wanted = likelihood.start(data).flatten().to(bias)
    if len(wanted) == bias.numel():
        bias.copy_(wanted.where(~wanted.isnan(), bias))


def _by_position(x: Tensor) -> Tensor:
    """(B, C, *positions) as so many data more of one position each, (N, C, 1, ...)."""
    flat = x.flatten(2).movedim(-1, 1).flatten(0, 1)
    return flat.reshape(*flat.shape, *(1,) * (x.ndim - 2))


def _some(training: Source, scale: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
    """Batches (B, *D) in scaled units, out of the whole of the data."""
    size = training.spec.size
    batch = max(1, min(BATCH, NUMBERS // size))
    rows = max(batch, min(ROWS, NUMBERS // size))
    seen = 0
    for found in training.epoch(batch, seed=0, epoch=0):
        yield scale(found.x).cpu()
        seen += len(found)
        if seen >= rows:
            return
