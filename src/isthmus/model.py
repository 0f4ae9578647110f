"""The latent variable model: the six axes joined, and what its users ask of it."""

from __future__ import annotations

from functools import partial
from typing import cast, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.agreement import refuse_prior, refuse_scaling
from isthmus.answering import answering
from isthmus.conditions import ask, for_each, parts
from isthmus.data.scaling import Scaling
from isthmus.errors import DataError, UnsupportedError
from isthmus.evidence import Evidence
from isthmus.importance import ImportanceEstimate, importance_estimate
from isthmus.imputation import impute
from isthmus.likelihoods import Likelihood
from isthmus.networks import Decoder, Encoder
from isthmus.posteriors import (
    DiscretePosterior,
    PenalisedPosterior,
    Posterior,
    RefinedPosterior,
    TopDownPosterior,
    code,
    infer,
)
from isthmus.priors import FittedPrior, LeaveOneOutPrior, Prior
from isthmus.registry import Part, Registry

MODELS = Registry("model")
DECODE_MODES = Registry("decode mode")

DECODE_MODES.register("mean")(lambda px: px.mean)
DECODE_MODES.register("sample")(lambda px: px.sample())
DECODE_MODES.register("argmax")(lambda px: px.mode)

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
        sampler: A density fitted to the codes after training, which `sample` draws from in place
            of the prior; log p(x) stays the model's own.

    Raises:
        OptionError: The scaling would move x out of the likelihood's support, or the prior's codes
            live in another space than the posterior's.
    """

    def __init__(
        self,
        encoder: Encoder,
        posterior: Posterior,
        prior: Prior,
        decoder: Decoder,
        likelihood: Likelihood,
        scaling: Scaling | None = None,
        sampler: FittedPrior | None = None,
    ) -> None:
        super().__init__()
        self.shape = tuple(likelihood.shape)
        self.encoder = encoder
        self.posterior = posterior
        self.prior = prior
        self.decoder = decoder
        self.likelihood = likelihood
        self.scaling = Scaling(self.shape) if scaling is None else scaling
        self.sampler = sampler
        refuse_scaling(likelihood, self.scaling)
        for density in (prior, sampler):
            if density is not None:
                refuse_prior(posterior, density)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Z."""
        return self.posterior.latent_shape

    def infer(self, x: Tensor, condition: Tensor | None = None) -> Distribution:
        """q(z|x) for scaled x (B, *D), given (B, C): batch (B,), event Z."""
        q = self._amortised(x, condition)
        if isinstance(self.posterior, RefinedPosterior):
            return self.posterior.refine(q, lambda z: self.log_joint(x, z, condition))
        if isinstance(self.posterior, TopDownPosterior):
            return self.posterior.meet(q, self.code_prior(condition))
        return q

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Distribution:
        """p(x|z) for z (S, B, *Z), given (B, C): batch (S, B), event D, in scaled units."""
        samples, batch = z.shape[:2]
        repeated = None if condition is None else condition.repeat(samples, 1)
        parameters = ask(self.decoder, z.flatten(0, 1), repeated)
        parameters = parameters.reshape(samples, batch, *parameters.shape[1:])
        return cast(Distribution, self.likelihood(parameters))

    def log_joint(self, x: Tensor, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Log p(x, z) (S, B) in nats for scaled x (B, *D) and z (S, B, *Z)."""
        result: Tensor = self.generate(z, condition).log_prob(x)
        return result + self.code_prior(condition).log_prob(z)

    def evidence(
        self,
        x: Tensor,
        samples: int = 1,
        corruption: nn.Module | None = None,
        condition: Tensor | None = None,
        *,
        decoded: bool = True,
    ) -> Evidence:
        """What the model says of x.

        Args:
            x: (B, *D) in the data's units.
            samples: S, draws of z per datum.
            corruption: What the encoder's input suffers; the target stays clean.
            condition: (B, C) what encoder, decoder and prior are given, where they take it.
            decoded: False spares the decoder where the rate is all that is asked for.
        """
        x, posterior = self.scaling(x) if self.scaling.active else x, self.posterior
        q = self.infer(x if corruption is None else corruption(x), condition)
        z = q.rsample(torch.Size((samples,)))
        asked = posterior.penalties(q) if isinstance(posterior, PenalisedPosterior) else {}
        evidence = Evidence(
            x=x,
            q=q,
            p=self._prior_beside(x, condition),
            z=z,
            has_density=posterior.has_density,
            infer=partial(self.infer, condition=condition),
            generate=partial(self.generate, condition=condition),
            penalties=asked,
            condition=condition,
            last_layer=self.decoder.last_layer,
        )
        # Now, and not when an objective first looks: gradients may not flow there.
        _ = evidence.px if decoded else None
        return evidence

    def encode(
        self,
        x: Tensor,
        mode: str = "mean",
        batch_size: int = BATCH_SIZE,
        *,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Codes of x.

        Args:
            x: (N, *D) in the data's units.
            mode: "mean", "argmax" (the posterior's mode) or "sample", the only one that uses
                chance.
            batch_size: Data in one pass.
            condition: (N, C), for a conditional model.

        Returns:
            (N, *Z); integers where the mode of a discrete posterior is asked for.

        Raises:
            DataError: x has another shape than the model's data.
            UnknownNameError: There is no such mode.
            UnsupportedError: This posterior has no mode, and `argmax` was asked for.
        """
        self._check(x)
        with answering(self):
            return torch.cat(
                [
                    code(self.posterior, self.infer(self.scaling(part), given), mode)
                    for part, given in parts(x, condition, batch_size)
                ]
            )

    def decode(
        self,
        z: Tensor,
        mode: str = "mean",
        batch_size: int = BATCH_SIZE,
        *,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Data from codes.

        Args:
            z: (N, *Z), or the integers of a discrete posterior.
            mode: The "mean" of p(x|z), its "argmax" or a "sample".
            batch_size: Codes in one pass.
            condition: (N, C), for a conditional model; another than the code's own asks what the
                datum would have been under it.

        Returns:
            (N, *D) in the data's units.

        Raises:
            DataError: z has another shape than the model's codes.
            UnknownNameError: There is no such mode.
        """
        pick = DECODE_MODES[mode].factory
        with answering(self):
            if isinstance(self.posterior, DiscretePosterior) and not z.is_floating_point():
                z = self.posterior.embed(z)
            if z.shape[1:] != torch.Size(self.latent_shape):
                raise DataError(
                    f"Codes of shape {tuple(z.shape)} do not fit this model: expected (N, "
                    f"{', '.join(map(str, self.latent_shape))})."
                )
            return torch.cat(
                [
                    self.scaling.inverse(pick(self.generate(part[None], given)))[0]
                    for part, given in parts(z, condition, batch_size)
                ]
            )

    def reconstruct(
        self,
        x: Tensor,
        mode: str = "mean",
        batch_size: int = BATCH_SIZE,
        *,
        condition: Tensor | None = None,
    ) -> Tensor:
        """The mean of p(x|z) at the codes of x (N, *D) that `mode` takes."""
        z = self.encode(x, mode, batch_size, condition=condition)
        return self.decode(z, batch_size=batch_size, condition=condition)

    def sample(
        self,
        n: int,
        mode: str = "mean",
        batch_size: int = BATCH_SIZE,
        *,
        condition: Tensor | None = None,
    ) -> Tensor:
        """New data (n, *D): z ~ p(z) or the sampler, then mean, argmax or a sample of p(x|z)."""
        condition = for_each(condition, n, next(self.parameters()).device)
        with answering(self):
            p = self.code_prior(condition) if self.sampler is None else self.sampler(condition)
            # A prior that reads the condition has a draw for each; any other is drawn n times.
            z = p.sample() if p.batch_shape else p.sample(torch.Size((n,)))
        return self.decode(z, mode, batch_size, condition=condition)

    def impute(
        self,
        x: Tensor,
        samples: int = 1000,
        mode: str = "mean",
        batch_size: int = 100,
        *,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Data x (N, *D) with their gaps (NaN) filled in, as `isthmus.impute` says."""
        self._check(x)
        return impute(self, x, samples, mode, chunk=batch_size, condition=condition)

    def log_likelihood(
        self,
        x: Tensor,
        samples: int = 1000,
        batch_size: int = 128,
        *,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Log p(x) (N,) in nats, of which `importance` also says how far to trust it."""
        return self.importance(x, samples, batch_size, condition=condition).log_likelihood

    def importance(
        self,
        x: Tensor,
        samples: int = 1000,
        batch_size: int = 128,
        *,
        condition: Tensor | None = None,
    ) -> ImportanceEstimate:
        """Log p(x) in nats per datum by importance sampling: log mean_S p(x, z_s) / q(z_s|x).

        A lower bound in expectation that tightens with S. Memory is bounded: the samples are taken
        in chunks.

        Args:
            x: (N, *D) in the data's units.
            samples: S, exactly as many as are used.
            batch_size: Data in one pass.
            condition: (N, C), for a conditional model.

        Returns:
            (N,) densities in the data's units, with standard errors and effective sample sizes.

        Raises:
            UnsupportedError: The posterior has no density.
        """
        self._check(x)
        if not self.posterior.has_density:
            raise UnsupportedError(
                f"log p(x) needs a posterior with a density, and {type(self.posterior).__name__} "
                "has none: use a recipe such as vae, or score by the reconstruction error."
            )
        with answering(self):
            found = [
                importance_estimate(
                    self.scaling(part),
                    self.infer(self.scaling(part), given),
                    self.code_prior(given),
                    partial(self.generate, condition=given),
                    samples,
                )
                for part, given in parts(x, condition, batch_size)
            ]
            whole = ImportanceEstimate(*(torch.cat(field) for field in zip(*found, strict=True)))
            return whole._replace(log_likelihood=whole.log_likelihood - self.scaling.log_det(x))

    def code_prior(self, condition: Tensor | None = None) -> Distribution:
        """p(z), given (B, C): batch () or (B,), event Z."""
        p: Distribution = self.prior(condition, self._amortised)
        return p

    def _prior_beside(self, x: Tensor, condition: Tensor | None) -> Distribution:
        """p(z) as the training on x reads it."""
        if self.training and isinstance(self.prior, LeaveOneOutPrior):
            return self.prior.beside(x, condition, self._amortised)
        return self.code_prior(condition)

    def _amortised(self, x: Tensor, condition: Tensor | None = None) -> Distribution:
        """q(z|x) as the encoder alone says it: to refine it takes the prior."""
        return infer(self.posterior, ask(self.encoder, x, condition), condition)

    def _check(self, x: Tensor) -> None:
        if tuple(x.shape[1:]) != self.shape:
            raise DataError(
                f"Data of shape {tuple(x.shape)} do not fit this model: expected (N, "
                f"{', '.join(map(str, self.shape))})."
            )
