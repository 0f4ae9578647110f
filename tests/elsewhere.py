"""A device that is not the CPU, on a machine that has no other: loaded by path, by the tests.

Its tensors hold the numbers of a CPU tensor and say that they lie on the device "meta", the only
one besides the CPU that autograd takes in a torch built for the CPU alone. ("cuda" it is not:
torch's own fake tensors may claim that, but a build without CUDA ends the process at their first
gradient.) While `elsewhere` is on, every operation is computed on the CPU, and

- an operation that a GPU would refuse because its operands lie in two places is refused;
- what makes the host wait for the device is written down: a number that is read, a shape that
  depends on numbers, a copy from one place to the other.

Ordinary code runs as it is: `model.to("meta")`, `torch.zeros(3, device=x.device)`, `x.cpu()`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

import isthmus
from isthmus.training.adam import FusedAdamW

SOURCE = str(Path(isthmus.__file__).parent)
HERE, THERE = torch.device("cpu"), torch.device("meta")
aten = torch.ops.aten

# Their answer is a number on the host, a shape that depends on numbers, or an error that does.
READS = {
    *(aten._local_scalar_dense, aten.is_nonzero, aten.equal, aten.allclose, aten.nonzero),
    *(aten.masked_select, aten.bincount, aten._unique2, aten.unique_dim, aten.unique_consecutive),
    *(aten._linalg_check_errors, aten._linalg_eigh, aten._linalg_svd, aten.linalg_lstsq),
}
INDEXED = {aten.index, aten._unsafe_index, aten.index_put, aten.index_put_, aten._index_put_impl_}
COPIES = {aten._to_copy, aten.copy, aten.copy_, aten._foreach_copy_}


class MixedError(RuntimeError):
    """What a GPU would say of operands in two places."""


class Held(Tensor):
    """A tensor elsewhere."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, numbers: Tensor) -> Held:
        return Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=THERE,
        )

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on a tensor of `elsewhere`, which is over")


class Watch(TorchDispatchMode):
    """Computes on the CPU what happens elsewhere, and tells `heard` of what the host waits for."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        super().__init__()
        self.heard = heard

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, packet = dict(kwargs or {}), func.overloadpacket
        operands = [t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor)]
        there = [t for t in operands if isinstance(t, Held)]
        asked = kwargs.get("device")
        if asked is not None:
            kwargs["device"] = HERE
        goes = bool(there) if asked is None else asked.type == THERE.type
        if packet in COPIES:
            if packet is not aten._to_copy:
                goes = any(isinstance(t, Held) for t in tree_iter(args[0]))
            if goes != all(isinstance(t, Held) for t in operands) or 0 < len(there) < len(operands):
                self.heard("copy")
        elif there:
            self._look(func, args, kwargs, operands)
        if goes and kwargs.get("generator") is not None:
            raise MixedError(f"{func} draws on a device with another's generator")
        out = func(*tree_map(_numbers, args), **tree_map(_numbers, kwargs))
        # An operation in place gives back its operand.
        known = {id(t.numbers): t for t in there}

        def wrapped(t: Any) -> Any:
            if not isinstance(t, Tensor):
                return t
            if id(t) in known:
                return known[id(t)]
            return Held(t) if goes else t

        return tree_map(wrapped, out)

    def _look(self, func: Any, args: Any, kwargs: Any, operands: list[Tensor]) -> None:
        packet = func.overloadpacket
        here = [t for t in operands if not isinstance(t, Held)]
        if packet in READS:
            self.heard("read")
        if packet is aten.repeat_interleave and kwargs.get("output_size") is None:
            self.heard("read")
        if packet in INDEXED:
            index = [t for t in args[1] if isinstance(t, Tensor)]
            masks = any(t.dtype in (torch.bool, torch.uint8) for t in index)
            # One number where a mask says so needs no list of places.
            if masks and not (packet not in (aten.index, aten._unsafe_index) and _single(args[2])):
                self.heard("mask")
            # A GPU takes the index from the host, and waits for it.
            if any(t is i for t in here for i in index):
                self.heard("copy")
            here = [t for t in here if not any(t is i for i in index)]
        pointwise = torch.Tag.pointwise in func.tags
        if any(t.ndim or t.is_meta or not pointwise for t in here):
            places = ", ".join(f"{tuple(t.shape)} on {t.device.type}" for t in operands)
            raise MixedError(f"{func}: {places}")


class Making(TorchFunctionMode):
    """Sees to it that numbers from Python arrive, which torch would not send to "meta"."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        super().__init__()
        self.heard = heard

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        asked = kwargs.get("device")
        makes = func in (torch.tensor, torch.as_tensor, torch.asarray)
        if makes and asked is not None and torch.device(asked).type == THERE.type:
            return func(*args, **{**kwargs, "device": HERE}).to(THERE)
        if func is Tensor.new_tensor and isinstance(args[0], Held):
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}).to(THERE)
        if func is Tensor.tolist and isinstance(args[0], Held):
            self.heard("read")
            return args[0].numbers.tolist()
        return func(*args, **kwargs)


@contextmanager
def elsewhere(heard: Callable[[str], None]) -> Iterator[torch.device]:
    """Within the block "meta" is a device with numbers, which is given.

    torch's argument checks of distributions, which read numbers, are on as they are by default.
    """

    class Autocast(torch.autocast):
        def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
            place = HERE.type if device_type == THERE.type else device_type
            super().__init__(place, *args, **kwargs)

    plain = torch.optim.Adam
    checks = torch.distributions.Distribution._validate_args
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    with (
        # What these do differently on a device that they do not know.
        patch.object(torch, "autocast", Autocast),
        patch.object(torch.optim, "Adam", lambda of, lr, fused=None: plain(of, lr)),
        patch("isthmus.training.players.adam", FusedAdamW),
        Watch(heard),
        Making(heard),
    ):
        torch.distributions.Distribution.set_default_validate_args(True)
        # `module.half()` would exchange a parameter's type and leave its numbers as they were.
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            yield THERE
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
            torch.distributions.Distribution.set_default_validate_args(checks)


def asked_in_both(ask: Callable[[torch.device], Any], atol: float = 1e-6) -> None:
    """Ask on the CPU and elsewhere, from one seed: the numbers must be the same, and each tensor of
    an answer lie where it was asked for.

    Args:
        ask: Answers on a device: tensors, or tuples, lists, dicts and dataclasses of them.
        atol: How far numbers may be apart: the CPU has kernels of its own for some operations.
    """
    torch.manual_seed(1)
    here = list(tensors(ask(HERE)))
    assert here
    assert {t.device for t in here} == {HERE}
    with elsewhere(lambda what: None):
        torch.manual_seed(1)
        there = list(tensors(ask(THERE)))
        assert {t.device for t in there} == {THERE}
        there = [t.cpu() for t in there]
    assert len(here) == len(there)
    for mine, theirs in zip(here, there, strict=True):
        torch.testing.assert_close(theirs, mine, rtol=1e-5, atol=atol, equal_nan=True)


def tensors(answer: Any) -> Iterator[Tensor]:
    """The tensors that an answer holds, a model apart."""
    if isinstance(answer, Tensor):
        yield answer.detach()
    elif isinstance(answer, (tuple, list)):
        for part in answer:
            yield from tensors(part)
    elif isinstance(answer, Mapping):
        yield from tensors(list(answer.values()))
    elif is_dataclass(answer):
        yield from tensors(list(vars(answer).values()))


def callers() -> Iterator[tuple[str, dict[str, Any]]]:
    """The functions of the package under way, innermost first, with their variables."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(SOURCE):
            yield frame.f_code.co_qualname, frame.f_locals
        frame = frame.f_back


def _numbers(t: Any) -> Any:
    return t.numbers if isinstance(t, Held) else t


def _single(t: Any) -> bool:
    return t.numel() == 1
