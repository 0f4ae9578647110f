"""The latent variable model: the six axes joined, and what its users ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.data.scaling import Scaling
from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.evidence import Evidence
from isthmus.likelihoods import Likelihood
from isthmus.networks import Decoder, Encoder
from isthmus.posteriors import Posterior, code
from isthmus.priors import Prior
from isthmus.registry import Part, Registry

MODELS = Registry("model")
DECODE_MODES = Registry("decode mode")

DECODE_MODES.register("mean")(lambda px: px.mean)
DECODE_MODES.register("sample")(lambda px: px.sample())
DECODE_MODES.register("argmax")(lambda px: px.mode)

# Elements of the decoder's output that one chunk of importance samples may hold: 4 MiB of float32,
# which stay in a CPU's cache. A GPU gets this many times more, so that its launches are worth
# their while.
CHUNK_ELEMENTS = 1 << 20
ON_A_GPU = 16
# Below this many decoder outputs a pass, splitting over samples would only add overhead.
BATCH_SIZE = 1024


@final
@MODELS.register("latent")
class LatentModel(Part, nn.Module):
    """x -> q(z|x), p(z), z -> p(x|z), joined.

    `encode`, `decode`, `reconstruct`, `sample` and `log_likelihood` speak the data's own units,
    run without gradients and in evaluation mode; `evidence`, `infer` and `generate` are what
    training reads, on scaled x.

    Args:
        encoder: x (B, *D) -> features (B, H).
        posterior: features -> q(z|x).
        prior: p(z).
        decoder: z (N, *Z) -> the likelihood's parameters.
        likelihood: parameters -> p(x|z).
        scaling: The shift and scale between the data's units and the model's; none where it is
            None.

    Raises:
        OptionError: The scaling would move x out of the likelihood's support.
    """

    def __init__(
        self,
        encoder: Encoder,
        posterior: Posterior,
        prior: Prior,
        decoder: Decoder,
        likelihood: Likelihood,
        scaling: Scaling | None = None,
    ) -> None:
        super().__init__()
        self.shape = tuple(likelihood.shape)
        self.encoder = encoder
        self.posterior = posterior
        self.prior = prior
        self.decoder = decoder
        self.likelihood = likelihood
        self.scaling = Scaling(self.shape) if scaling is None else scaling
        if self.scaling.active and not (likelihood.affine or self.scaling.bounded):
            raise OptionError(
                f"The likelihood {type(likelihood).__name__} lives on a fixed support, so its "
                "data cannot be "
                "shifted and scaled: use a scaling 'none', or a likelihood on the real line "
                "('gaussian-shared')."
            )

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Z."""
        return self.posterior.latent_shape

    def infer(self, x: Tensor) -> Distribution:
        """q(z|x) for scaled x (B, *D): batch (B,), event Z."""
        q: Distribution = self.posterior(self.encoder(x))
        return q

    def generate(self, z: Tensor) -> Distribution:
        """p(x|z) for z (S, B, *Z): batch (S, B), event D, in scaled units."""
        samples, batch = z.shape[:2]
        parameters = self.decoder(z.flatten(0, 1)).unflatten(0, (samples, batch))
        px: Distribution = self.likelihood(parameters)
        return px

    def evidence(
        self, x: Tensor, samples: int = 1, corruption: nn.Module | None = None
    ) -> Evidence:
        """What the model says of x.

        Args:
            x: (B, *D) in the data's units.
            samples: S, draws of z per datum.
            corruption: What the encoder's input suffers; the target stays clean.
        """
        x = self.scaling(x)
        q = self.infer(x if corruption is None else corruption(x))
        z = q.rsample(torch.Size((samples,)))
        return Evidence(
            x=x,
            q=q,
            p=self.prior(None, self.infer),
            z=z,
            px=self.generate(z),
            has_density=self.posterior.has_density,
            infer=self.infer,
            generate=self.generate,
        )

    def encode(self, x: Tensor, mode: str = "mean", batch_size: int = BATCH_SIZE) -> Tensor:
        """Codes of x.

        Args:
            x: (N, *D) in the data's units.
            mode: "mean", "argmax" (the posterior's mode) or "sample", the only one that uses
                chance.
            batch_size: Data in one pass.

        Returns:
            (N, *Z).

        Raises:
            DataError: x has another shape than the model's data.
            UnknownNameError: There is no such mode.
            UnsupportedError: This posterior has no mode or no density, and `argmax` was asked for.
        """
        self._check(x)
        with self._answering():
            return torch.cat(
                [
                    code(self.posterior, self.infer(self.scaling(part)), mode)
                    for part in x.split(batch_size)
                ]
            )

    def decode(self, z: Tensor, mode: str = "mean", batch_size: int = BATCH_SIZE) -> Tensor:
        """Data from codes.

        Args:
            z: (N, *Z).
            mode: The "mean" of p(x|z), its "argmax" or a "sample".
            batch_size: Codes in one pass.

        Returns:
            (N, *D) in the data's units.

        Raises:
            DataError: z has another shape than the model's codes.
            UnknownNameError: There is no such mode.
        """
        if z.shape[1:] != torch.Size(self.latent_shape):
            raise DataError(
                f"Codes of shape {tuple(z.shape)} do not fit this model: expected (N, "
                f"{', '.join(map(str, self.latent_shape))})."
            )
        pick = DECODE_MODES[mode].factory
        with self._answering():
            return torch.cat(
                [
                    self.scaling.inverse(pick(self.generate(part[None])))[0]
                    for part in z.split(batch_size)
                ]
            )

    def reconstruct(self, x: Tensor, mode: str = "mean", batch_size: int = BATCH_SIZE) -> Tensor:
        """X (N, *D) through the strip and back: the mean of p(x|z) at a code taken by `mode`."""
        return self.decode(self.encode(x, mode, batch_size), batch_size=batch_size)

    def sample(self, n: int, mode: str = "mean", batch_size: int = BATCH_SIZE) -> Tensor:
        """N new data (n, *D): z ~ p(z), then the mean, the argmax or a sample of p(x|z)."""
        with self._answering():
            z = self.prior(None, self.infer).sample(torch.Size((n,)))
        return self.decode(z, mode, batch_size)

    def log_likelihood(self, x: Tensor, samples: int = 1000, batch_size: int = 128) -> Tensor:
        """Log p(x) in nats per datum by importance sampling: log mean_S p(x, z_s) / q(z_s|x).

        A lower bound in expectation that tightens with S. Memory is bounded: the samples are taken
        in chunks.

        Args:
            x: (N, *D) in the data's units.
            samples: S, exactly as many as are used.
            batch_size: Data in one pass.

        Returns:
            (N,), a density in the data's units.

        Raises:
            UnsupportedError: The posterior has no density.
        """
        self._check(x)
        if not self.posterior.has_density:
            raise UnsupportedError(
                f"log p(x) needs a posterior with a density, and {type(self.posterior).__name__} "
                "has none: "
                "use a recipe such as vae, or score by the reconstruction error."
            )
        with self._answering():
            scaled = [self._importance(self.scaling(part), samples) for part in x.split(batch_size)]
            return torch.cat(scaled) - self.scaling.log_det()

    def _importance(self, x: Tensor, samples: int) -> Tensor:
        """Log mean_S of the weights of scaled x (B, *D), as (B,)."""
        q, p = self.infer(x), self.prior(None, self.infer)
        elements = CHUNK_ELEMENTS if x.device.type == "cpu" else ON_A_GPU * CHUNK_ELEMENTS
        chunk = max(1, elements // (len(x) * self.likelihood.parameter_shape().numel()))
        total: Tensor | None = None
        for start in range(0, samples, chunk):
            z = q.rsample(torch.Size((min(chunk, samples - start),)))
            weights = self.generate(z).log_prob(x) + p.log_prob(z) - q.log_prob(z)
            part = torch.logsumexp(weights, 0)
            total = part if total is None else torch.logaddexp(total, part)
        if total is None:
            raise OptionError(
                f"log p(x) needs at least one importance sample, got samples={samples}."
            )
        return total - torch.log(torch.tensor(float(samples), dtype=total.dtype))

    def _check(self, x: Tensor) -> None:
        if tuple(x.shape[1:]) != self.shape:
            raise DataError(
                f"Data of shape {tuple(x.shape)} do not fit this model: expected (N, "
                f"{', '.join(map(str, self.shape))})."
            )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Evaluation mode without gradients; training goes on afterwards as it was."""
        training = self.training
        if training:
            self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            if training:
                self.train()
