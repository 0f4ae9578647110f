"""Picture files of any sizes, decoded and cropped when they are read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from isthmus.data.crops import Places, Window, too_small
from isthmus.data.decoding import decode
from isthmus.data.indexed import order
from isthmus.data.resident import in_units
from isthmus.data.source import Batch, Source
from isthmus.data.spec import DataSpec
from isthmus.data.splits import split_indices

# Batches that are under way while one is trained on, and threads that decode them at most; Pillow
# lets go of the interpreter while it decodes.
AHEAD, WORKERS = 2, 8


class Files(NamedTuple):
    """Picture files.

    Args:
        paths: In the order of the data.
        sizes: (N, 2) int64, height and width of each.
        labels: (N,) int64, or None.
    """

    paths: Sequence[Path]
    sizes: np.ndarray
    labels: Tensor | None

    def at(self, index: Tensor) -> Files:
        """The files at `index` (n,)."""
        labels = None if self.labels is None else self.labels[index]
        return Files([self.paths[i] for i in index.tolist()], self.sizes[index.numpy()], labels)


class _Job(NamedTuple):
    rows: Tensor
    places: Places


@final
class Pictures(Source):
    """Picture files of which a window is shown: one drawn for training, the centre for all else.

    Files are decoded when they are read, a few batches ahead by a few threads, so that memory holds
    crops alone, and the files may have any sizes that the window fits into.

    Args:
        files: What there is.
        window: What is shown of each.
        spec: Of the files; its height and width become the window's.
        notes: What the loader handled, one line each.
        prepare: What becomes of a picture before it is cropped, bytes (C, H, W) each, such as a
            resizing to one size, which `files.sizes` then says; None where it is cropped as it is.

    Raises:
        DataError: An image is smaller than the window; it is named.
    """

    redrawn = True

    def __init__(
        self,
        files: Files,
        window: Window,
        spec: DataSpec,
        notes: tuple[str, ...] = (),
        prepare: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        small = (files.sizes < (window.height, window.width)).any(1)
        if small.any():
            first = int(small.argmax())
            height, width = files.sizes[first].tolist()
            raise too_small(str(files.paths[first]), (height, width), window)
        self.files = files
        self.window = window
        shape = (spec.shape[0], window.height, window.width)
        self.spec = replace(spec, shape=shape, length=len(files.paths))
        self.notes = notes
        self._prepare = prepare
        self._mode = "L" if spec.shape[0] == 1 else "RGB"

    def epoch(
        self, batch_size: int, *, seed: int, epoch: int, start: int = 0, stride: int = 1
    ) -> Iterator[Batch]:
        """Shuffled batches, as `Source.epoch` says."""
        length = len(self)
        size = min(batch_size, length)
        permutation = order(length, seed, epoch)

        def jobs() -> Iterator[_Job]:
            for first in range(start * size, length - size + 1, size * stride):
                index = permutation[first : first + size]
                sizes = self.files.sizes[index.numpy()]
                yield _Job(index, self.window.drawn(sizes, seed, epoch, first))

        return self._read(jobs())

    def chunks(self, size: int) -> Iterator[Batch]:
        """All data in their stored order."""
        places = self.window.centred(self.files.sizes)

        def jobs() -> Iterator[_Job]:
            for index in torch.arange(len(self)).split(size):
                part = slice(int(index[0]), int(index[-1]) + 1)
                yield _Job(index, Places(*(p[part] for p in places)))

        return self._read(jobs())

    def subset(self, part: str, seed: int, fractions: tuple[float, float, float]) -> Source:
        """The part of an exact seeded split."""
        return self.select(split_indices(len(self), seed, fractions)[part])

    def select(self, index: Tensor) -> Pictures:
        """The pictures at `index` as a source of their own, in that order."""
        chosen = self.files.at(index)
        return Pictures(chosen, self.window, self.spec, self.notes, self._prepare)

    def _read(self, jobs: Iterator[_Job]) -> Iterator[Batch]:
        """The batches of the jobs, in their order; threads work on those that come next."""
        waiting: deque[tuple[_Job, list[Future[Tensor]]]] = deque()
        pool = ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1))
        try:
            for job in jobs:
                waiting.append((job, self._begin(job, pool)))
                if len(waiting) > AHEAD:
                    yield self._batch(*waiting.popleft())
            while waiting:
                yield self._batch(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, job: _Job, pool: ThreadPoolExecutor) -> list[Future[Tensor]]:
        paths = [self.files.paths[i] for i in job.rows.tolist()]
        at = zip(paths, *(p.tolist() for p in job.places), strict=True)
        return [pool.submit(self._crop, *one) for one in at]

    def _crop(self, path: Path, top: int, left: int, flip: bool) -> Tensor:
        bottom, right = top + self.window.height, left + self.window.width
        if self._prepare is None:
            x = decode(path, self._mode, (left, top, right, bottom))
        else:
            x = self._prepare(decode(path, self._mode))[:, top:bottom, left:right]
        return x.flip(2) if flip else x

    def _batch(self, job: _Job, parts: list[Future[Tensor]]) -> Batch:
        x = in_units(torch.stack([part.result() for part in parts]), self.spec.unit)
        labels = self.files.labels
        return Batch(x, None if labels is None else labels[job.rows])
