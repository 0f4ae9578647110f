from __future__ import annotations

import pytest

from isthmus.cli import values
from isthmus.errors import OptionError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("4", 4),
        ("-2.5", -2.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("no", "no"),
        ("y", "y"),
        ("512,256", "512,256"),
        ("[512, 256]", [512, 256]),
        ('"4"', "4"),
        ("", ""),
        ("1:30", "1:30"),
    ],
)
def test_parse(text, value):
    parsed = values.parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("default", "given", "value"),
    [
        (4.0, "1e-3", 1e-3),
        (4.0, 2, 2.0),
        (5, 8.0, 8),
        ("auto", 7, "7"),
        ((1,), "512,256", (512, 256)),
        ((1,), [512, 256], (512, 256)),
        ((1,), 512, (512,)),
        (False, True, True),
        (None, [1, 2], (1, 2)),
    ],
)
def test_like(default, given, value):
    converted = values.like(default)("model.x", given)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("convert", "given"),
    [
        (values.number, "four"),
        (values.number, True),
        (values.whole, 2.5),
        (values.truth, "yes"),
        (values.wholes, "512,wide"),
        (values.word, [1]),
        (values.size, "1x2x3"),
        (values.size, "large"),
        (values.size, [1, 2, 3]),
    ],
)
def test_wrong_types_are_named(convert, given):
    with pytest.raises(OptionError, match=r"^data\.x="):
        convert("data.x", given)


@pytest.mark.parametrize(("given", "size"), [("28", 28), (28, 28), ("28x32", (28, 32))])
def test_size(given, size):
    assert values.size("image_size", given) == size


def test_a_broken_value_is_one_line():
    with pytest.raises(OptionError, match="brackets") as error:
        values.parse("[1, 2")
    assert "\n" not in str(error.value)
