"""`AutoencoderKL`: encode and decode images with published weights, or with a run of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self, final

import torch
from torch import Tensor, nn

from isthmus.answering import answering
from isthmus.autoencoder_kl.drawing import Chance, drawn
from isthmus.autoencoder_kl.images import check_images, check_latents, check_size
from isthmus.autoencoder_kl.latents import batches, from_scaled, pooled, scaled_by, to_scaled
from isthmus.autoencoder_kl.parts import (
    Parts,
    half_parts,
    latent_model,
    new_parts,
    parts_of,
    published_state,
)
from isthmus.autoencoder_kl.running import Memory, cropped, decode_images, encode_moments
from isthmus.data import Source
from isthmus.distributions import DiagonalNormal
from isthmus.model import LatentModel
from isthmus.posteriors import ENCODE_MODES
from isthmus.pretrained import Checkpoint, KLConfig, write_checkpoint
from isthmus.store import load


@final
class AutoencoderKL(nn.Module):
    """The image autoencoder of latent diffusion: images in [-1, 1] and latents f times smaller.

    Weights are published (`from_pretrained`), of a run trained here (`from_run`, `from_model`), or
    new (`AutoencoderKL(config)`). Encoding and decoding run without gradients, in evaluation mode,
    on images of any size; `forward` is for gradients, and `model` for training and measuring.

    A diffusion model reads latents in other units than `encode` gives and `decode` takes by
    themselves: `scaled=True` converts both ways by the numbers in `config`, and
    `estimate_scaling` finds them for one's own data.

    Args:
        config: What it is made of, and the scaling in use.
        parts: Networks to take over; None makes new ones.
        notes: Lines on what was handled on the way here.

    Reference:
        Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models,
        arXiv 2112.10752.

    >>> config = KLConfig(block_out_channels=(8, 8), norm_num_groups=4)
    >>> autoencoder = AutoencoderKL(config)
    >>> z = autoencoder.encode(torch.zeros(1, 3, 33, 48))
    >>> z.shape
    torch.Size([1, 4, 17, 24])
    >>> autoencoder.decode(z, size=(33, 48)).shape
    torch.Size([1, 3, 33, 48])
    """

    def __init__(
        self, config: KLConfig, parts: Parts | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.config = config
        self.notes = notes
        parts = new_parts(config, config.side) if parts is None else parts
        self.encoder, self.posterior, self.decoder = parts

    @classmethod
    def from_pretrained(
        cls,
        place: str | os.PathLike[str],
        *,
        subfolder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        variant: str | None = None,
        dtype: torch.dtype = torch.float32,
        config: KLConfig | None = None,
    ) -> AutoencoderKL:
        """Published weights, in evaluation mode. Only safetensors are read, nothing is executed.

        Args:
            place: A folder of diffusers' format, "owner/name" on the hub (its cache and its
                environment variables hold), or a safetensors file, also of the original layout and
                of a whole pipeline.
            subfolder: Where in it the config lies; by default its root, then "vae".
            revision: Branch, tag or commit on the hub.
            local_files_only: Ask no server.
            variant: Of the weight files, such as "fp16".
            dtype: Of the weights in memory, whatever they are stored in; see `half`.
            config: In place of the one beside the weights, which a lone file lacks.

        Raises:
            CheckpointError: There is no such place, it holds something else or a pickle, or
                tensors are missing, unknown or of another shape.
            MissingDependencyError: A hub name, without the package that reads the hub.
        """
        found = Checkpoint.find(
            place,
            config,
            variant,
            subfolder=subfolder,
            revision=revision,
            local_files_only=local_files_only,
        )
        with torch.device("meta"):
            new = cls(found.config, notes=found.notes)
        tensors = found.read({n: tuple(t.shape) for n, t in new.state_dict().items()})
        wide = torch.promote_types(dtype, torch.float32)
        new.load_state_dict({n: t.to(wide) for n, t in tensors.items()}, assign=True)
        return (new if wide == dtype else new.half(dtype)).eval()

    @classmethod
    def from_run(
        cls, folder: str | os.PathLike[str], *, scaling: KLConfig | None = None
    ) -> AutoencoderKL:
        """The model of a run folder, as `from_model` takes it.

        Raises:
            RunError: The folder is no run, or is cut.
            UnsupportedError: Its model is of another kind.
        """
        return cls.from_model(load(folder), scaling=scaling)

    @classmethod
    def from_model(cls, model: LatentModel, *, scaling: KLConfig | None = None) -> AutoencoderKL:
        """The same networks, shared and not copied, speaking [-1, 1].

        Args:
            model: Of the recipe `autoencoder-kl` or `kl-gan`, or any with such networks.
            scaling: A config whose scaling to take. By default it is that of the weights that
                training began from, or 1 until `estimate_scaling` finds another.

        Raises:
            UnsupportedError: The model is of other networks, or of data in other units.
        """
        parts, config, notes = parts_of(model)
        config = config if scaling is None else config.scaled_like(scaling)
        return cls(config, parts, notes).train(model.training)

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        variant: str | None = None,
        max_shard_size: int | str | None = None,
    ) -> Path:
        """Write config.json and safetensors weights as diffusers reads them.

        Each file is written whole or not at all, in the type that the weights have.

        Args:
            folder: Made where it does not exist; other files in it stay.
            variant: The word in the weights' name, such as "fp16".
            max_shard_size: In bytes, or such as "5GB"; None writes one file.

        Returns:
            The folder.
        """
        tensors = published_state(self._parts)
        return write_checkpoint(folder, self.config, tensors, variant, max_shard_size)

    def half(self, dtype: torch.dtype = torch.float16, x: Tensor | None = None) -> Self:
        """Half precision, in place, without the overflow that makes black images elsewhere.

        The residual stream is divided by a power of two in the weights, which changes its range
        alone (`.to(torch.float16)` does not); statistics and moments stay float32. What is left is
        rounding, some 1e-3 relative in float16 and 1e-2 in bfloat16. Saved weights are in the
        published units again.

        Args:
            dtype: torch.float16 or torch.bfloat16.
            x: Images (B, C, H, W) to measure the range on; by default noise, with room to spare.
        """
        z = None if x is None else self.encode(x)
        self.encoder, self.posterior, self.decoder = half_parts(self._parts, dtype, x, z)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """The image at the mean of q(z|x), with gradients: (B, C, H, W) in [-1, 1] -> the same."""
        mean, _ = self.posterior.moments(self.encoder(x))
        return cropped(self.decoder.decode_map(mean.to(x.dtype)), x.shape[2:])

    def encode(
        self,
        x: Tensor,
        mode: str = "mean",
        *,
        scaled: bool = False,
        batch_size: int | None = None,
        memory: Memory = None,
        generator: Chance = None,
    ) -> Tensor:
        """Latents of images.

        A side that is no multiple of f = 2^(stages - 1) is padded with copies of its last pixels;
        `decode(..., size=(H, W))` crops them off again.

        Args:
            x: (B, C, H, W) in [-1, 1]; of bytes, x / 127.5 - 1.
            mode: "mean" or "argmax", which are one for a Gaussian, or "sample". Images are best
                rebuilt from the mean. Diffusion models are trained on either: where the posterior
                is narrow, as in published weights, the two hardly differ.
            scaled: In a diffusion model's units, (z - shift_factor) * scaling_factor or
                (z - latents_mean) / latents_std * scaling_factor by `config`. By itself the latent
                is what the posterior says, as elsewhere.
            batch_size: Images in one pass; by default as many as have some 2^20 pixels together.
            memory: Bytes for a pass beside weights, images and latents, as a number or "512MB":
                what does not fit runs in strips of rows, with the result of the whole to rounding.
                None sets no bound.
            generator: For mode "sample": a generator, or a seed. The draw does not depend on
                `batch_size`.

        Returns:
            (B, Z, ceil(H / f), ceil(W / f)), at least float32, on the device of x.

        Raises:
            DataError: x has other channels or axes, is of whole numbers, or has gaps.
            UnknownNameError: There is no such mode.
            UnsupportedError: This posterior has no such code.
        """
        entry = ENCODE_MODES[mode]
        mean, log_variance = self.moments(x, batch_size=batch_size, memory=memory)
        q = DiagonalNormal(mean, (0.5 * log_variance).exp(), 3)
        z = drawn(self.posterior, q, entry.name, generator)
        return to_scaled(z, self.config) if scaled else z

    def moments(
        self, x: Tensor, *, batch_size: int | None = None, memory: Memory = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), unscaled: what a cache for diffusion training keeps.

        Args:
            x: As for `encode`.
            batch_size, memory: As for `encode`.

        Returns:
            Two of (B, Z, h, w), at least float32; the log-variance lies in [-30, 20].
        """
        check_images(x, self.config.in_channels)
        with answering(self):
            return encode_moments(self._parts, x, batch_size, memory)

    def decode(
        self,
        z: Tensor,
        *,
        scaled: bool = False,
        size: tuple[int, int] | None = None,
        batch_size: int | None = None,
        memory: Memory = None,
    ) -> Tensor:
        """Images from latents.

        Args:
            z: (B, Z, h, w).
            scaled: They are in a diffusion model's units, and are first taken back:
                z / scaling_factor + shift_factor, or z * latents_std / scaling_factor +
                latents_mean.
            size: (H, W) to crop to, the size of the image that was encoded; by default f h, f w.
            batch_size, memory: As for `encode`.

        Returns:
            (B, C, H, W), around [-1, 1] and not clamped, on the device and in the type of z.

        Raises:
            DataError: z has other channels or axes, or gaps; the size is none that it can have.
        """
        check_latents(z, self.config.latent_channels)
        if size is not None:
            check_size(size, tuple(z.shape[2:]), self.config.factor)
        z = from_scaled(z, self.config) if scaled else z
        with answering(self):
            return decode_images(self._parts, z, size, batch_size, memory)

    def reconstruct(
        self,
        x: Tensor,
        mode: str = "mean",
        *,
        batch_size: int | None = None,
        memory: Memory = None,
        generator: Chance = None,
    ) -> Tensor:
        """The images (B, C, H, W) that the codes of x decode to, of exactly the size of x."""
        z = self.encode(x, mode, batch_size=batch_size, memory=memory, generator=generator)
        size = x.shape[2], x.shape[3]
        return self.decode(z, size=size, batch_size=batch_size, memory=memory)

    def estimate_scaling(
        self,
        data: Source | Tensor | Iterable[Tensor],
        *,
        per_channel: bool = True,
        samples: bool = True,
        batch_size: int | None = None,
    ) -> KLConfig:
        """Find the scaling under which latents of `data` have mean 0 and variance 1, and use it.

        Diffusion models assume unit variance. The published scaling_factor gives it for the weights
        and photographs that it was measured on; for others it is another number.

        Args:
            data: Images (B, C, H, W) in [-1, 1], many such batches, or a source, whose images in
                [0, 1] are moved there.
            per_channel: A mean and a standard deviation of each latent channel (`latents_mean`,
                `latents_std`, with a factor of 1); False finds one `scaling_factor` and one
                `shift_factor` for all, which is all that Stable Diffusion 3 and Flux read. Stable
                Diffusion 1 reads the factor alone.
            samples: Whether the diffusion model is trained on samples of q(z|x), which have the
                posterior's variance too, or on its means. Neither draws anything.
            batch_size: As for `encode`.

        Returns:
            The config, now in use.

        Raises:
            DataError: There are no images, or a channel does not vary over them.
        """
        found = pooled(
            (mean, log_variance.exp() * samples)
            for mean, log_variance in (
                self.moments(x, batch_size=batch_size) for x in batches(data)
            )
        )
        self.config = scaled_by(self.config, found, per_channel)
        return self.config

    def model(
        self, shape: tuple[int, int, int], likelihood: str = "gaussian-shared", **options: Any
    ) -> LatentModel:
        """The same networks, shared and not copied, as `evaluate` and `fit` take them.

        Args:
            shape: (C, H, W) of one datum, in [0, 1], as images are loaded.
            likelihood: p(x|z), by name.
            **options: Of the likelihood.
        """
        return latent_model(self._parts, self.config, shape, likelihood, **options)

    @property
    def _parts(self) -> Parts:
        return Parts(self.encoder, self.posterior, self.decoder)
