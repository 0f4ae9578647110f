"""Isthmus' side of `image_latents.py`.

usage: image_latents_isthmus.py FOLDER THREADS MEMORY DEVICE
"""

from __future__ import annotations

import sys

import torch
from latents_memory import Measured
from serving import serve_jobs
from torch import Tensor

from isthmus import AutoencoderKL

folder, threads, memory, device = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(threads)
model = AutoencoderKL.from_pretrained(folder).to(device)


def encode(x: Tensor, tiled: bool) -> Tensor:
    return model.encode(x, memory=memory if tiled else None)


def decode(z: Tensor, tiled: bool) -> Tensor:
    return model.decode(z, memory=memory if tiled else None)


passes = {"encode": encode, "decode": decode}
serve_jobs(Measured(passes, model.config.factor, model.config.latent_channels, device))
