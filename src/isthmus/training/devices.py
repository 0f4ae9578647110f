"""Where a run computes: the device, its precision, and the processes that share the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar, final

import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.training.settings import TrainingSettings

T = TypeVar("T", bool, float)


@final
@dataclass(frozen=True)
class Processes:
    """This process among those that train together, as torchrun numbers them."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process writes the run folder and speaks to the user."""
        return self.rank == 0

    def agree(self, value: T) -> T:
        """The leader's number or flag, known to all."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        shared = torch.tensor([float(value)], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return type(value)(shared.item())

    def gather(self, t: Tensor) -> list[Tensor]:
        """The tensors of all processes, by rank, on the CPU."""
        if self.count == 1:
            return [t.cpu()]
        import torch.distributed as dist

        t = t.to(self.device)
        everyone = [torch.empty_like(t) for _ in range(self.count)]
        dist.all_gather(everyone, t)
        return [one.cpu() for one in everyone]

    def mean(self, t: Tensor) -> Tensor:
        """The mean of a tensor over processes."""
        if self.count > 1:
            import torch.distributed as dist

            # What a checkpoint held, or nothing at all, lies on the CPU.
            t = t.to(self.device)
            dist.all_reduce(t)
            t /= self.count
        return t


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """The group that torchrun's environment variables announce; alone without them."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(device=device)
        return
    import torch.distributed as dist

    mine = not dist.is_initialized()
    if mine:
        # Unless it is told, a barrier takes the first GPU for every process's own.
        gpu = device if device.type == "cuda" else None
        dist.init_process_group("nccl" if gpu else "gloo", device_id=gpu)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
        if mine:
            # Nobody leaves while another may still listen to it.
            dist.barrier()
    finally:
        if mine:
            dist.destroy_process_group()


def choose_device(name: str) -> torch.device:
    """The device called `name`; auto takes the first GPU, else the CPU.

    Raises:
        OptionError: There is no such device here.
    """
    if name == "auto":
        mps = "mps" if torch.backends.mps.is_available() else "cpu"
        name = "cuda" if torch.cuda.is_available() else mps
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    try:
        device = torch.device(name)
        # Read back, for one device takes numbers and keeps none.
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        # Where a backend is missing torch goes on for a page.
        reason = str(error).splitlines()[0].split(". ")[0]
        raise OptionError(
            f"device={name!r} is not to be had here ({reason}): use auto or cpu."
        ) from error
    return device


@contextmanager
def own_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Draw from `seed`, on the CPU and on `device`; the caller's random state comes back."""
    cuda = [device] if device.type == "cuda" else []
    # torch.manual_seed would also reseed devices that are not given back.
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield


def random_states(group: Processes) -> dict[str, Tensor]:
    """Every process's random states, by device type and rank."""
    states = {"cpu": torch.get_rng_state()}
    if group.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(group.device)
    return {
        f"random.{kind}.{rank}": state
        for kind, mine in states.items()
        for rank, state in enumerate(group.gather(mine))
    }


def restore_random_states(states: dict[str, Tensor], group: Processes) -> None:
    """Take this process's random states from those that `random_states` gave.

    Raises:
        KeyError: They are of fewer processes, or of another kind of device.
    """
    torch.set_rng_state(states[f"random.cpu.{group.rank}"])
    if group.device.type == "cuda":
        torch.cuda.set_rng_state(states[f"random.cuda.{group.rank}"], group.device)


def autocast(
    settings: TrainingSettings, device: torch.device
) -> Callable[[], AbstractContextManager[Any]]:
    """The context in which the networks run at the precision of the settings."""
    if settings.precision == "float32":
        return nullcontext
    return lambda: torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def distributed(step: nn.Module, group: Processes, players: int) -> Iterator[Callable[..., Any]]:
    """The step whose backward pass averages gradients over processes that start from equal weights.

    DistributedDataParallel takes one backward pass for a forward pass; with several players the
    gradients are averaged by `average_gradients` instead. Both ways the model's buffers, such as
    codebooks, are the leader's in every step.
    """
    if group.count == 1:
        yield step
        return
    if players > 1:
        follow_the_leader([*step.parameters(), *step.buffers()])
        # An objective's buffers do not move, or by what all processes know.
        moving = [t for name, t in step.named_buffers() if "model." in name]

        def run(*given: Tensor) -> Any:
            follow_the_leader(moving)
            return step(*given)

        yield run
        return
    from torch.nn.parallel import DistributedDataParallel

    ids = [group.device.index] if group.device.type == "cuda" else None
    held = [DistributedDataParallel(step, device_ids=ids)]
    try:
        yield lambda *given: held[0](*given)
    finally:
        # It must go before the group does: as the group's last owner it would wait for the group's
        # threads while these wait for the interpreter.
        held.clear()


@torch.no_grad()
def follow_the_leader(tensors: list[Tensor]) -> None:
    """Give tensors of any types the values of the leading process, in one message."""
    import torch.distributed as dist

    flat = torch.cat([t.detach().flatten().view(torch.uint8) for t in tensors])
    dist.broadcast(flat, src=0)
    sizes = [t.numel() * t.element_size() for t in tensors]
    for t, part in zip(tensors, flat.split(sizes), strict=True):
        # A copy, for a view of wider numbers has to begin where they may.
        t.copy_(part.clone().view(t.dtype).view(t.shape))


def average_gradients(parameters: list[nn.Parameter], group: Processes) -> None:
    """Average gradients over processes, all parameters in one message."""
    if group.count == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = group.mean(torch.cat([g.flatten() for g in gradients]))
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
