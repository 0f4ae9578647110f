"""pythae's side of `parity.py`: its models and its trainer, with the same nets and start.

usage: parity_pythae.py FOLDER EPOCHS THREADS

The nets are given to pythae because its default decoder ends in a sigmoid, also under squared
error. Its L2 of the decoder is left to the optimiser, and off here on both sides.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import parity_cases as shared
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import (
    RAE_GP,
    RAE_L2,
    VAE,
    VQVAE,
    WAE_MMD,
    BetaVAE,
    BetaVAEConfig,
    RAE_GP_Config,
    RAE_L2_Config,
    VAEConfig,
    VQVAEConfig,
    WAE_MMD_Config,
)
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from serving import Stopwatch, serve_jobs

FOLDER, EPOCHS, THREADS = Path(sys.argv[1]), *map(int, sys.argv[2:4])
torch.set_num_threads(THREADS)


class Encoder(BaseEncoder):
    def __init__(self, case: str, net: torch.nn.Module) -> None:
        BaseEncoder.__init__(self)
        self.case, self.net = case, net

    def forward(self, x: torch.Tensor) -> ModelOutput:
        out = self.net(x)
        if self.case in shared.BINARY:
            mean, log_variance = out.chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)
        if self.case in shared.QUANTISED:
            # Channels first, as pythae's quantiser wants them: (B, width, 1, positions).
            grid = out.view(-1, shared.POSITIONS, shared.WIDTH).transpose(1, 2)
            return ModelOutput(embedding=grid.unsqueeze(2))
        return ModelOutput(embedding=out)


class Decoder(BaseDecoder):
    def __init__(self, case: str, net: torch.nn.Module) -> None:
        BaseDecoder.__init__(self)
        self.case, self.net = case, net

    def last(self, z: torch.Tensor) -> torch.Tensor:
        """What the last layer puts out: logits for binary data."""
        return self.net(flat(z) if self.case in shared.QUANTISED else z)

    def forward(self, z: torch.Tensor) -> ModelOutput:
        out = self.last(z)
        return ModelOutput(reconstruction=out.sigmoid() if self.case in shared.BINARY else out)


def flat(grid: torch.Tensor) -> torch.Tensor:
    """(B, width, 1, positions) as (B, positions · width)."""
    return grid.squeeze(2).transpose(1, 2).flatten(1)


MODELS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "vae": (VAE, VAEConfig, {"reconstruction_loss": "bce"}),
    "beta-vae": (BetaVAE, BetaVAEConfig, {"reconstruction_loss": "bce", "beta": shared.BETA}),
    "wae-mmd": (WAE_MMD, WAE_MMD_Config, {"reg_weight": shared.MMD_WEIGHT}),
    "vq-vae": (
        VQVAE,
        VQVAEConfig,
        {
            "use_ema": True,
            "num_embeddings": shared.N_CODES,
            "commitment_loss_factor": shared.COMMITMENT,
        },
    ),
    "rae-l2": (RAE_L2, RAE_L2_Config, {"embedding_weight": shared.NORM_WEIGHT}),
    "rae-gp": (
        RAE_GP,
        RAE_GP_Config,
        {"embedding_weight": shared.NORM_WEIGHT, "reg_weight": shared.SLOPE_WEIGHT},
    ),
}


class Timed(BaseTrainer):
    """Its own trainer, which also tells the time of its steps alone and its best held-out loss."""

    def train_step(self, epoch: int) -> float:
        with steps:
            return super().train_step(epoch)

    def eval_step(self, epoch: int) -> float:
        self.found = [*getattr(self, "found", []), super().eval_step(epoch)]
        return self.found[-1]


steps = Stopwatch()


def run(job: dict[str, Any]) -> dict[str, float]:
    case, seed = job["case"], job["seed"]
    path, start = shared.files(FOLDER, case, seed)
    arrays = shared.arrays(path)
    make, configure, options = MODELS[case.split()[0]]
    pixels = arrays["train"].shape[1]
    encoder, decoder = shared.layers(case, pixels)
    config = configure(input_dim=(pixels,), latent_dim=shared.LATENT, **options)
    model = make(config, encoder=Encoder(case, encoder), decoder=Decoder(case, decoder))
    embeddings = model.quantizer.embeddings if case in shared.QUANTISED else None
    shared.start_from(start, (encoder, decoder), embeddings)
    data, held_out = (
        BaseDataset(torch.from_numpy(arrays[part]), torch.zeros(len(arrays[part])))
        for part in ("train", "validation")
    )
    watch = Stopwatch()
    steps.wall = steps.cpu = 0.0
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=job.get("epochs", EPOCHS),
            learning_rate=shared.LR,
            optimizer_cls="Adam",
            per_device_train_batch_size=shared.BATCH,
            per_device_eval_batch_size=shared.BATCH,
            seed=seed,
            no_cuda=True,
        )
        trainer = Timed(model, data, held_out, training_config=settings)
        with watch:
            trainer.train()
    write(trainer._best_model.eval(), case, seed, torch.from_numpy(arrays["test"]))
    own = min(trainer.found)
    return {"wall": watch.wall, "cpu": watch.cpu, "steps_cpu": steps.cpu, "own": own}


@torch.no_grad()
def write(model: Any, case: str, seed: int, x: torch.Tensor) -> None:
    noise = torch.from_numpy(shared.arrays(FOLDER / "noise.npz")["noise"])
    found = model.encoder(x)
    z = found.embedding
    given = {"mean": z}
    if case in shared.BINARY:
        scale = (0.5 * found.log_covariance).exp()
        given["scale"] = scale
        z = (z + scale * noise).flatten(0, 1)
    if case in shared.QUANTISED:
        quantised = model.quantizer(z.permute(0, 2, 3, 1))
        indices = quantised.quantized_indices.flatten(1)
        given = {"mean": flat(z), "codes": flat(quantised.quantized_vector), "indices": indices}
        z = quantised.quantized_vector
    out = model.decoder.last(z).view(-1, len(x), x.shape[1])
    shared.write_outputs(FOLDER / f"pythae-{case}-{seed}.npz", out=out, **given)


serve_jobs(run)
