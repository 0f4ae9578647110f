from __future__ import annotations

import json

import pytest

from isthmus.cli.recipes import reference
from isthmus.recipes import recipe_options
from isthmus.registry import RECIPES


def test_all_are_listed_under_their_family(isthmus):
    said = isthmus("recipes").stdout
    for entry in RECIPES:
        assert f" {entry.name} " in said
        assert entry.about["family"] in said
    assert max(map(len, said.splitlines())) <= 80


def test_json(isthmus):
    found = {facts["name"]: facts for facts in json.loads(isthmus("recipes", "--json").stdout)}
    assert found.keys() == {entry.name for entry in RECIPES}
    assert found["vae"]["paper"] == "1312.6114"
    assert (found["vae"]["argmax"], found["vae"]["density"]) == (True, True)
    assert (found["ae"]["argmax"], found["ae"]["density"]) == (False, False)
    assert found["beta-vae"]["options"]["beta"] == 4.0
    assert json.loads(isthmus("recipes", "vae", "--json").stdout) == found["vae"]


@pytest.mark.parametrize("name", [entry.name for entry in RECIPES])
def test_one_in_full(name, isthmus):
    said = isthmus("recipes", name).stdout
    assert said.startswith(f"{name}: ")
    assert str(RECIPES[name].about["year"]) in said
    assert RECIPES[name].summary.split()[-1] in said
    for option, default in recipe_options(name).items():
        assert any(line.split() == [option, *str(default).split()] for line in said.splitlines())


def test_an_arxiv_number_becomes_an_address():
    assert reference("1312.6114") == "https://arxiv.org/abs/1312.6114"
    assert reference("Higgins et al., ICLR") == "Higgins et al., ICLR"
