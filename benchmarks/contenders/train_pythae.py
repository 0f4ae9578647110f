"""pythae's VAE trained by its BaseTrainer, in pythae's own environment.

usage: train_pythae.py DATA.npy BATCH EPOCHS THREADS

The seconds are those of its training steps alone: start-up, model copies and saving are left out.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from serving import Stopwatch, serve

path, batch, epochs, threads = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
x = torch.from_numpy(np.load(path).astype(np.float32))
data = BaseDataset(x, torch.zeros(len(x)))


class Timed(BaseTrainer):
    last = 0.0

    def train_step(self, epoch: int) -> float:
        with watch:
            self.last = super().train_step(epoch)
        return self.last


watch = Stopwatch()


def train() -> dict[str, float]:
    config = VAEConfig(input_dim=(784,), latent_dim=16, reconstruction_loss="bce")
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=batch,
            no_cuda=True,
        )
        watch.wall = watch.cpu = 0.0
        trainer = Timed(VAE(config), data, training_config=settings)
        trainer.train()
    return {"wall": watch.wall / epochs, "cpu": watch.cpu / epochs, "loss": float(trainer.last)}


serve(train)
