"""What the two sides of `image_latents.py` share: the peak of one call, and inputs."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Pass = Callable[[Tensor, bool], Tensor]


def inputs(job: dict[str, Any], factor: int, latent_channels: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(job["side"])
    side = job["side"]
    shape = (1, 3, side, side)
    if job["what"] == "decode":
        shape = (1, latent_channels, side // factor, side // factor)
    return torch.rand(shape, generator=generator).mul_(2.0).sub_(1.0).to(device)


class Measured:
    """Runs jobs, keeping what the whole pass gave to compare the tiled one with."""

    def __init__(self, passes: dict[str, Pass], factor: int, channels: int, device: str) -> None:
        self._passes, self._factor, self._channels = passes, factor, channels
        self._device = device
        self._whole: dict[tuple[int, str], Tensor] = {}

    def __call__(self, job: dict[str, Any]) -> dict[str, float]:
        x = inputs(job, self._factor, self._channels, self._device)
        run, key = self._passes[job["what"]], (job["side"], job["what"])
        with torch.no_grad():
            before = _start(self._device)
            begun = time.perf_counter()
            y = run(x, job["tiled"])
            if self._device != "cpu":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - begun
            grown = _peak(self._device) - before
        if not job["tiled"]:
            self._whole = {key: y}
        whole = self._whole.get(key, y)
        difference = float((y - whole).double().norm() / whole.double().norm())
        return {"seconds": seconds, "bytes": grown, "difference": difference}


def _start(device: str) -> int:
    """Give back what is free, reset the peak, and say what is in use."""
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(device: str) -> int:
    return _status("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated()


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise SystemExit(f"/proc/self/status does not say {name}: run this on Linux.")
