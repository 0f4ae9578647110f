"""Diffusers' side of `image_latents.py`.

usage: image_latents_diffusers.py FOLDER THREADS IGNORED DEVICE
"""

from __future__ import annotations

import sys

import torch
from diffusers import AutoencoderKL
from latents_memory import Measured
from serving import serve_jobs
from torch import Tensor

folder, threads, device = sys.argv[1], int(sys.argv[2]), sys.argv[4]
torch.set_num_threads(threads)
model = AutoencoderKL.from_pretrained(folder, use_safetensors=True).eval().to(device)


def tiling(wanted: bool) -> None:
    (model.enable_tiling if wanted else model.disable_tiling)()


def encode(x: Tensor, tiled: bool) -> Tensor:
    tiling(tiled)
    return model.encode(x).latent_dist.mode()


def decode(z: Tensor, tiled: bool) -> Tensor:
    tiling(tiled)
    return model.decode(z).sample


passes = {"encode": encode, "decode": decode}
factor = 2 ** (len(model.config.block_out_channels) - 1)
serve_jobs(Measured(passes, factor, model.config.latent_channels, device))
