"""Plain values of settings: from text, and brought to the type that a setting has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from isthmus.errors import OptionError

_WORDS = {"true": True, "false": False, "null": None, "~": None}
_NESTED = ("[", "{", '"', "'")


def parse(text: str) -> Any:
    """A YAML scalar or flow collection by YAML 1.2: 1e-3 is a number and `no` is a word.

    Raises:
        OptionError: It is not YAML.
    """
    text = text.strip()
    if text.startswith(_NESTED):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise OptionError(
                f"The value {text!r} cannot be read as YAML: close its brackets and quotes."
            ) from error
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def word(name: str, value: Any) -> str:
    """A text.

    Raises:
        OptionError: The value is none.
    """
    if isinstance(value, (list, dict)) or value is None:
        raise _wrong(name, value, "a word")
    return str(value)


def number(name: str, value: Any) -> float:
    """A number.

    Raises:
        OptionError: The value is none.
    """
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise _wrong(name, value, "a number")


def whole(name: str, value: Any) -> int:
    """A whole number.

    Raises:
        OptionError: The value is none.
    """
    wanted = number(name, value)
    if not wanted.is_integer():
        raise _wrong(name, value, "a whole number")
    return int(wanted)


def truth(name: str, value: Any) -> bool:
    """A truth value.

    Raises:
        OptionError: The value is none.
    """
    if isinstance(value, bool):
        return value
    raise _wrong(name, value, "true or false")


def wholes(name: str, value: Any) -> tuple[int, ...]:
    """Whole numbers, separated by commas."""
    return tuple(whole(name, v) for v in _items(value))


def words(name: str, value: Any) -> tuple[str, ...]:
    """Words, separated by commas."""
    return tuple(word(name, v) for v in _items(value))


def size(name: str, value: Any) -> int | tuple[int, int]:
    """N, or height and width as HxW.

    Raises:
        OptionError: The value is neither.
    """
    parts = re.split(r"[x,]", value) if isinstance(value, str) else _items(value)
    numbers = tuple(whole(name, v) for v in parts)
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    raise _wrong(name, value, "one number, or height x width such as 28x32")


def as_it_is(name: str, value: Any) -> Any:
    """Whatever it is; lists become tuples."""
    return tuple(value) if isinstance(value, list) else value


def like(default: Any) -> Callable[[str, Any], Any]:
    """The conversion to the type of a default value."""
    return _BY_TYPE.get(type(default), as_it_is)


_BY_TYPE: dict[type, Callable[[str, Any], Any]] = {
    bool: truth,
    int: whole,
    float: number,
    str: word,
    tuple: wholes,
}


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _wrong(name: str, value: Any, expected: str) -> OptionError:
    return OptionError(f"{name}={value!r}: expected {expected}.")
