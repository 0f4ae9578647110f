"""A prior over grids of integer codes: a gated PixelCNN, fitted after training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from isthmus.errors import OptionError
from isthmus.networks import PixelCNN
from isthmus.priors.base import PRIORS, FittedPrior, Infer
from isthmus.priors.codes import need_codes
from isthmus.priors.descent import Descent

# Logits in one pass of scoring, and numbers of the representation in one pass of drawing.
MOST_LOGITS, MOST_NUMBERS = 2**25, 2**24


@final
class Grids(Distribution):
    """Integers on a grid, each drawn given all before it: row by row, a cell's stages in turn.

    Args:
        network: Integers (N, h, w, stages) -> logits (N, h, w, stages, K).
        code_shape: (h, w) or (h, w, stages).
        n_codes: K.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 - torch declares it so

    def __init__(self, network: PixelCNN, code_shape: Sequence[int], n_codes: int) -> None:
        super().__init__(torch.Size(), torch.Size(code_shape), validate_args=False)
        self._network = network
        self._cells = (*code_shape[:2], network.stages)
        self._n_codes = n_codes

    def log_prob(self, value: Tensor) -> Tensor:
        """Log p of integers (*batch, *code_shape) in nats per grid, (*batch,)."""
        batch = value.shape[: value.ndim - len(self.event_shape)]
        grids = value.reshape(-1, *self._cells).long()
        rows = max(1, MOST_LOGITS // (math.prod(self._cells) * self._n_codes))
        return torch.cat([self._score(part) for part in grids.split(rows)]).view(batch)

    def _score(self, k: Tensor) -> Tensor:
        logits = self._network(k).flatten(0, -2)
        return -F.cross_entropy(logits, k.flatten(), reduction="none").view(len(k), -1).sum(1)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Integers (*sample_shape, *code_shape), drawn one after the other."""
        shape = torch.Size(sample_shape)
        device = self._network.place.device
        grids = torch.zeros(shape.numel(), *self._cells, dtype=torch.long, device=device)
        rows = max(1, MOST_NUMBERS // self._network.place.numel())
        for part in grids.split(rows):
            self._fill(part)
        return grids.view(shape + self.event_shape)

    def _fill(self, k: Tensor) -> None:
        rows, columns, stages = self._cells
        for row in range(rows):
            for column in range(columns):
                known = self._network.context(k[:, : row + 1])[:, row, column]
                for s in range(stages):
                    known = known if s == 0 else self._network.tell(s, known, k[:, row, column])
                    chances = self._network.stage(s, known).softmax(-1)
                    k[:, row, column, s] = torch.multinomial(chances, 1)[:, 0]


@final
@PRIORS.register("pixelcnn")
class PixelCNNPrior(FittedPrior):
    """p(k) = Π p(k_i | those before i) over a grid of integers by a gated PixelCNN, fitted after
    training to the codes of the training data.

    It is uniform until it is fitted. A tenth of the codes, at most 1,000, is held out to see when
    fitting has gone far enough. The order is row by row from the top; a residual code's stages
    follow one another within a cell.

    Args:
        code_shape: (h, w) of one datum's integers, or (h, w, stages).
        n_codes: K.
        width: Of the network.
        layers: Of the network, at the least; a large grid takes as many as it needs to be seen
            whole.
        steps: Of Adam, at most.
        batch_size: Codes in a step.
        lr: Adam's learning rate at the start; it falls to zero along a cosine.
        seed: Of the order of the codes.

    Raises:
        OptionError: The posterior has no integer codes, or they lie in no grid.

    Reference:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, arXiv 1606.05328;
        Neural Discrete Representation Learning, arXiv 1711.00937, section 3.3.
    """

    space = "codes"
    fitted_to = "argmax"
    by_steps = True

    def __init__(
        self,
        code_shape: Sequence[int] = (),
        n_codes: int = 0,
        width: int = 64,
        layers: int = 5,
        steps: int = 500,
        batch_size: int = 64,
        lr: float = 3e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        need_codes("pixelcnn", code_shape, n_codes)
        if len(code_shape) not in (2, 3):
            raise OptionError(
                f"The prior 'pixelcnn' is over grids of codes, and these have the shape "
                f"{tuple(code_shape)}: use the prior 'autoregressive-codes', or network='map'."
            )
        self.code_shape = tuple(code_shape)
        self.n_codes = n_codes
        self.descent = Descent(steps, batch_size, lr, seed)
        self.network = PixelCNN(n_codes, code_shape, width, layers)
        # The model's training passes it by.
        self.network.requires_grad_(False)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Grids:
        return Grids(self.network, self.code_shape, self.n_codes)

    def fit(self, codes: Tensor) -> None:
        """Fit to integer codes (N, *code_shape) by a few hundred steps of Adam."""
        self.descent.minimise(self.network, lambda rows: self().log_prob(rows), codes)
