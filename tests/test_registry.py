"""Registries, and parts that are written down as JSON and built again."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
import torch

from isthmus.errors import OptionError, UnknownNameError, UsageError
from isthmus.registry import Part, Registry, build, check_options, describe, did_you_mean


class Leaf(Part):
    """A part with plain arguments."""

    registered_as = ("test-part", "leaf")

    def __init__(self, size: int, scale: float = 1.0, names: tuple[str, ...] = ()) -> None:
        self.size, self.scale, self.names = size, scale, names


class Pair(Part, torch.nn.Module):
    """A torch module that is a part and holds parts.

    Its second paragraph.
    """

    registered_as = ("test-part", "pair")

    def __init__(self, left: Part, right: Part | None = None, *, bias: bool = True) -> None:
        super().__init__()
        self.left, self.right = left, right
        self.layer = torch.nn.Linear(2, 1, bias=bias)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry of the two parts, forgotten after the test."""
    monkeypatch.setattr(Registry, "_all", dict(Registry._all))
    registry = Registry("test-part")
    registry.register("leaf")(Leaf)
    registry.register("pair", paper="A paper", year=2013)(Pair)
    return registry


def test_entries_in_order_with_their_facts(registry: Registry) -> None:
    assert [entry.name for entry in registry] == ["leaf", "pair"]
    assert registry["pair"].about == {"paper": "A paper", "year": 2013}
    assert registry["pair"].summary == "A torch module that is a part and holds parts."
    assert "leaf" in registry
    assert "tree" not in registry


def test_create_calls_the_factory(registry: Registry) -> None:
    leaf = registry.create("leaf", size=3, scale=0.5)
    assert (leaf.size, leaf.scale) == (3, 0.5)


def test_unknown_name_suggests_the_nearest_and_lists_all(registry: Registry) -> None:
    with pytest.raises(UnknownNameError) as caught:
        registry.create("leef")
    message = "Unknown test-part 'leef'. Did you mean 'leaf'? Known: leaf, pair."
    assert str(caught.value) == message
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, LookupError)


def test_nothing_near_is_not_suggested() -> None:
    assert "Did you mean" not in str(did_you_mean("recipe", "zzzz", ["vae", "ae"]))


@pytest.mark.parametrize("got", ["VAE", "vea", "beta_vae"])
def test_case_order_and_hyphens_are_near(got: str) -> None:
    assert "Did you mean" in str(did_you_mean("recipe", got, ["vae", "beta-vae", "iwae"]))


def test_unknown_option_suggests_the_nearest(registry: Registry) -> None:
    with pytest.raises(OptionError, match=r"option of test-part 'leaf': 'sise'.*'size'"):
        registry.create("leaf", sise=3)


def test_options_are_the_named_parameters_alone() -> None:
    def factory(size: int, /, *rest: int, scale: float = 1.0, **others: float) -> None: ...

    check_options("factory", factory, {"scale": 2.0})
    for wrong in ("size", "rest", "others"):
        with pytest.raises(OptionError):
            check_options("factory", factory, {wrong: 1})


def test_filled_once_and_only_on_the_first_look_up() -> None:
    registry, calls = Registry("test-lazy"), []

    def load() -> None:
        calls.append("loaded")
        registry.register("late")(Leaf)
        assert "late" in registry  # a look-up while loading does not load again

    registry.fill_with(load)
    assert calls == []
    assert "late" in registry
    assert [entry.name for entry in registry] == ["late"]
    assert calls == ["loaded"]


def test_description_is_json_and_builds_the_same() -> None:
    given = Pair(Leaf(3, names=("a", "b")), right=Pair(Leaf(size=4, scale=0.1)), bias=False)
    description = describe(given)
    assert description["part"] == "test-part/pair"
    # A default is part of the description: a later version may choose another.
    left = {"part": "test-part/leaf", "size": 3, "names": ["a", "b"], "scale": 1.0}
    assert description["left"] == left
    assert description["bias"] is False
    again = build(json.loads(json.dumps(description)))
    assert describe(again) == description
    assert isinstance(again, Pair)
    assert again.left.names == ("a", "b")
    assert again.right.left.scale == 0.1
    assert again.layer.bias is None


def test_plain_values_pass_through() -> None:
    values = {"n": None, "on": True, "list": [1, 2.5, "three"], "deep": {"leaf": Leaf(1)}}
    built = build(describe(values))
    assert built["list"] == (1, 2.5, "three")
    assert built["n"] is None
    assert built["on"] is True
    assert built["deep"]["leaf"].size == 1


@pytest.mark.parametrize("value", [object(), torch.zeros(2), {"deep": [torch.nn.ReLU()]}])
def test_what_has_no_description_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match=r"cannot be written to config\.json: register"):
        describe(value)


def test_unregistered_part_is_refused() -> None:
    class Loose(Part):
        def __init__(self) -> None: ...

    with pytest.raises(OptionError, match="Loose cannot be written"):
        describe(Loose())


@pytest.mark.parametrize(
    ("description", "error", "words"),
    [
        ({"part": "os/system", "command": "true"}, UnknownNameError, "kind of part 'os'"),
        ({"part": "test-part/tree"}, UnknownNameError, "test-part 'tree'"),
        ({"part": "test-part/leaf", "size": 1, "colour": 2}, OptionError, "'colour'"),
        ({"part": None}, UnknownNameError, "kind of part 'None'"),
    ],
)
def test_build_calls_registered_factories_only(
    description: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build(description)


def test_copies_remember_how_they_were_made() -> None:
    pair = Pair(Leaf(3), bias=False)
    for again in (copy.copy(pair), copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert describe(again) == describe(pair)


def test_missing_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="size"):
        Leaf()
