"""Which parts of a model learn: `train=("decoder",)` holds everything else fixed.

    model = isthmus.load("run")
    isthmus.fit("images/", model, train=("decoder",))

and, for any recipe, `fit(..., train=("decoder", "likelihood"))` or `-s training.train=decoder` on
the command line: it is a training setting, so that `config.json` keeps it and `--resume` asks for
the same. A name is that of a part (`encoder`, `posterior`, `prior`, `decoder`, `likelihood`), of a
module inside one (`decoder.up_blocks.3`) or of a single parameter.

What is held fixed has no gradient, no optimiser state and no weight decay, and it stays in the
checkpoint and in `model.safetensors`. It rests in evaluation mode: its dropout is off, its running
moments and codebooks stand still, and it does not look at the data again, so that a model loaded
from elsewhere keeps its scaling. The critics of an objective are no part of the model, and learn
as ever. A recipe that begins from stored weights has nothing to do but to load them into its model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from torch import nn

from isthmus.errors import OptionError
from isthmus.registry import did_you_mean

Resting = tuple[nn.Module, ...]


@contextmanager
def held(model: nn.Module, names: Collection[str] | None) -> Iterator[Resting]:
    """Within the block only the named parts of a model ask for gradients.

    Args:
        model: Parameters that asked for none before do not ask now.
        names: Of parts, modules or parameters; None holds nothing.

    Returns:
        The modules that rest: the largest that hold nothing of what learns.

    Raises:
        UnknownNameError: There is no such part.
        OptionError: Nothing of what is named can learn.
    """
    if names is None:
        yield ()
        return
    _check(model, names)
    learning = {id(p) for name, p in _parameters(model) if _within(name, names)}
    fixed = [p for p in model.parameters() if p.requires_grad and id(p) not in learning]
    for parameter in fixed:
        parameter.requires_grad_(False)
    try:
        yield tuple(_resting(model, names))
    finally:
        for parameter in fixed:
            parameter.requires_grad_(True)


def learn(step: nn.Module, resting: Resting) -> None:
    """Training mode, but for what rests."""
    step.train()
    for part in resting:
        part.eval()


def told(model: nn.Module, names: Collection[str] | None) -> tuple[str, ...]:
    """A note on what learns where that is not everything."""
    if names is None:
        return ()
    moved = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    return (f"only {', '.join(names)} learned: {moved:,} of {total:,} parameters",)


def _check(model: nn.Module, names: Collection[str]) -> None:
    parameters = dict(_parameters(model))
    known = {*parameters, *(name for name, _ in model.named_modules() if name)}
    for name in names:
        if name not in known:
            depth = name.count(".")
            near = [other for other in known if other.count(".") <= depth]
            raise did_you_mean("part of the model", name, near)
    if not any(p.requires_grad for name, p in parameters.items() if _within(name, names)):
        able = dict.fromkeys(n.split(".")[0] for n, p in parameters.items() if p.requires_grad)
        raise OptionError(
            f"train={','.join(names)}: nothing of that can learn; name a part that has parameters: "
            f"{', '.join(able)}."
        )


def _parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    # A parameter that two parts share learns with either.
    return model.named_parameters(remove_duplicate=False)


def _within(name: str, names: Collection[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in names)


def _resting(module: nn.Module, names: Collection[str], above: str = "") -> Iterator[nn.Module]:
    for name, child in module.named_children():
        path = f"{above}{name}"
        if _within(path, names):
            continue
        if any(one.startswith(f"{path}.") for one in names):
            yield from _resting(child, names, f"{path}.")
        else:
            yield child
