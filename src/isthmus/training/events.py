"""Who hears of a run's progress: the history file, TensorBoard, a progress bar."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from isthmus.optional import need
from isthmus.store import write_bytes

Record = dict[str, Any]
HISTORY = "history.jsonl"


class Listener(ABC):
    """Hears a record at every reading of the loss and at every evaluation.

    A record holds `step`, `epoch`, `progress` in [0, 1], `seconds`, and either `train/...` or
    `validation/...` values in nats per datum; the usage and perplexity of integer codes are pure
    numbers.
    """

    @abstractmethod
    def hear(self, record: Record) -> None:
        """Take note of a record."""

    @abstractmethod
    def close(self) -> None:
        """The run is over, for better or worse."""


@final
class History(Listener):
    """`history.jsonl`: one JSON object a line, evaluations and readings in order.

    Args:
        path: The file.
        until: Keep what it holds up to this step, for a run that resumes there.
    """

    def __init__(self, path: Path, until: int = 0) -> None:
        kept = [r for r in read_history(path) if r["step"] <= until] if until else []
        write_bytes(path, "".join(json.dumps(r) + "\n" for r in kept).encode())
        self._file = path.open("a", encoding="utf-8")

    def hear(self, record: Record) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_history(path: Path) -> list[Record]:
    """The records of a history file; a last line that was cut by a kill is left out."""
    records: list[Record] = []
    if not path.exists():
        return records
    for line in path.read_text("utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


@final
class TensorBoard(Listener):
    """TensorBoard events with the tags `train/...` and `validation/...`.

    Args:
        folder: Where the events go.
        until: The step at which a run resumes, 0 for a new one; later events of the run's earlier
            life are marked as overtaken.

    Raises:
        MissingDependencyError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, until: int = 0) -> None:
        need("tensorboard", "Writing TensorBoard events")
        writer = need("torch.utils.tensorboard", "Writing TensorBoard events").SummaryWriter
        self._writer = writer(str(folder), purge_step=until + 1 if until else None)

    def hear(self, record: Record) -> None:
        for name, value in record.items():
            if "/" in name:
                self._writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        self._writer.close()


@final
class Audience:
    """All who hear of a run: given listeners, a list of what was heard, and the run folder's files.

    Args:
        listeners: Further listeners; they are closed with the run.
        heard: Every record is appended to it.
        folder: Where the history goes; None writes nothing.
        resumed_at: The step at which the run resumes, 0 for a new one.
        tensorboard: Whether TensorBoard events are written too.
        leads: Whether this process speaks for the run; the others' listeners hear nothing.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        heard: list[Record],
        folder: Path | None,
        resumed_at: int,
        tensorboard: bool,
        leads: bool = True,
    ) -> None:
        self._given = list(listeners)
        self._listeners = list(listeners) if leads else []
        self._heard = heard
        if folder is not None:
            self._listeners.append(History(folder / HISTORY, resumed_at))
            if tensorboard:
                self._listeners.append(TensorBoard(folder / "events", resumed_at))

    def hear(self, record: Record) -> None:
        """Tell everybody."""
        self._heard.append(record)
        for listener in self._listeners:
            listener.hear(record)

    def __enter__(self) -> Audience:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in {id(one): one for one in (*self._given, *self._listeners)}.values():
            listener.close()
