"""Names, and the parts that go by them.

A `Registry` maps a name to a factory and knows nothing of what it holds. A `Part` is an object
that remembers the arguments it was made with, so that `describe` can write it down as JSON and
`build` can make it again: a stored model is such a description beside its tensors, and reading one
runs no code from the folder.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from isthmus.errors import OptionError, UnknownNameError

F = TypeVar("F", bound=Callable[..., Any])


def did_you_mean(kind: str, got: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a mistyped name: the nearest known one first, then all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(got.lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UnknownNameError(f"Unknown {kind} {got!r}.{hint} Known: {', '.join(known)}.")


@dataclass(frozen=True)
class Entry:
    """One registered name: its factory and what was said about it when it was registered."""

    name: str
    factory: Callable[..., Any]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first sentence of the factory's docstring."""
        text = inspect.getdoc(self.factory) or ""
        return text.split("\n\n", maxsplit=1)[0].replace("\n", " ")


class Registry:
    """Named factories of one kind.

    Args:
        kind: What the names stand for, as error messages call it ("posterior").
    """

    _all: ClassVar[dict[str, Registry]] = {}

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._fill: Callable[[], object] | None = None
        Registry._all[kind] = self

    def register(self, name: str, **about: Any) -> Callable[[F], F]:
        """Decorator: file a class or function under `name`, with facts `about` it."""

        def file(factory: F) -> F:
            self._entries[name] = Entry(name, factory, about)
            if inspect.isclass(factory):
                vars_of: Any = factory
                vars_of.registered_as = (self.kind, name)
            return factory

        return file

    def fill_with(self, load: Callable[[], object]) -> None:
        """Say what to import before the first look-up."""
        self._fill = load

    def _filled(self) -> dict[str, Entry]:
        if self._fill is not None:
            load, self._fill = self._fill, None  # the import itself looks names up
            try:
                load()
            except BaseException:
                self._fill = load
                raise
        return self._entries

    def __getitem__(self, name: str) -> Entry:
        entries = self._filled()
        if name not in entries:
            raise did_you_mean(self.kind, str(name), entries)
        return entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._filled()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._filled().values())

    def create(self, name: str, **options: Any) -> Any:
        """Call the factory called `name`; an option that it does not take is an `OptionError`."""
        entry = self[name]
        check_options(f"{self.kind} {name!r}", entry.factory, options)
        return entry.factory(**options)

    def takes(self, name: str, option: str) -> bool:
        """Whether the factory called `name` has an option of that name."""
        return option in inspect.signature(self[name].factory).parameters

    def create_for(self, pick: Pick, context: Mapping[str, Any]) -> Any:
        """Create a pick, handing it whatever of `context` its factory takes by name."""
        known = {k: value for k, value in context.items() if self.takes(pick.name, k)}
        return self.create(pick.name, **{**known, **pick.options})


@dataclass(frozen=True)
class Pick:
    """A name in a registry, with options for its factory."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def pick(name: str, **options: Any) -> Pick:
    """`Pick(name, options)`, as recipes write it."""
    return Pick(name, options)


# It lives here because a refusal low in the house names the recipes that would do.
RECIPES = Registry("recipe")


def check_options(owner: str, factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise an `OptionError` for the first option that `factory` does not take."""
    known = [
        p.name
        for p in inspect.signature(factory).parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"
    ]
    for name in options:
        if name not in known:
            raise OptionError(str(did_you_mean(f"option of {owner}:", name, known)))


class Part:
    """An object that remembers how it was made. Arguments are JSON values or parts."""

    registered_as: tuple[str, str] | None = None
    _given: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        # Copying and unpickling call __new__ bare and restore the record afterwards.
        bound = signature.bind_partial(self, *args, **kwargs)
        # A default is written down too: a later version may choose another.
        bound.apply_defaults()
        named = (
            p.name
            for p in signature.parameters.values()
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        )
        given = {name: bound.arguments[name] for name in list(named)[1:] if name in bound.arguments}
        object.__setattr__(self, "_given", given)
        return self


def describe(value: Any) -> Any:
    """`value` as JSON: a part becomes `{"part": "kind/name", ...its arguments}`.

    Raises:
        OptionError: It holds something that is neither a registered part nor a JSON value.
    """
    if isinstance(value, Part) and value.registered_as is not None:
        kind, name = value.registered_as
        return {"part": f"{kind}/{name}", **{k: describe(v) for k, v in value._given.items()}}
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise OptionError(
        f"{type(value).__name__} cannot be written to config.json: register its class with "
        "Registry.register and derive it from Part, or keep its weights with torch.save yourself."
    )


def build(description: Any) -> Any:
    """The inverse of `describe`: only registered factories are called.

    Raises:
        UnknownNameError: There is no such kind of part, or no part of that name.
        OptionError: An option that the part does not take.
    """
    if isinstance(description, Mapping):
        values = {k: build(v) for k, v in description.items() if k != "part"}
        if "part" not in description:
            return values
        kind, _, name = str(description["part"]).partition("/")
        if kind not in Registry._all:
            raise did_you_mean("kind of part", kind, Registry._all)
        return Registry._all[kind].create(name, **values)
    if isinstance(description, list):
        return tuple(build(v) for v in description)
    return description
