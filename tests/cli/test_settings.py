from __future__ import annotations

import json

import pytest

from isthmus.cli.settings import gather
from isthmus.errors import OptionError, UnknownNameError

YAML = """
data: {label: y, columns: [a, b]}
model: {recipe: beta-vae, beta: 2, hidden: [64, 32]}
training: {lr: 1e-3, epochs: 7, seed: 5}
"""
TOML = """
[data]
label = "y"
columns = ["a", "b"]
[model]
recipe = "beta-vae"
beta = 2
hidden = [64, 32]
[training]
lr = 1e-3
epochs = 7
seed = 5
"""
JSON = json.dumps(
    {
        "data": {"label": "y", "columns": ["a", "b"]},
        "model": {"recipe": "beta-vae", "beta": 2, "hidden": [64, 32]},
        "training": {"lr": 1e-3, "epochs": 7, "seed": 5},
    }
)


@pytest.mark.parametrize(("suffix", "text"), [("yaml", YAML), ("toml", TOML), ("json", JSON)])
def test_the_three_formats_say_the_same(suffix, text, tmp_path):
    path = tmp_path / f"config.{suffix}"
    path.write_text(text)
    found = gather("x.csv", {}, (), str(path))
    assert found.data == {"label": "y", "columns": ("a", "b")}
    assert found.recipe == "beta-vae"
    assert found.model == {"beta": 2.0, "hidden": (64, 32)}
    assert float(found.training["lr"]) == 1e-3
    assert found.training["epochs"] == 7


def test_flags_beat_sets_and_sets_beat_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(YAML)
    found = gather(
        "x.csv",
        {"seed": 9, "latent_dim": None, "hidden": "8"},
        ("training.seed=8", "training.lr=0.5", "model.beta=3", "model.beta=4"),
        str(path),
    )
    assert found.training == {"lr": 0.5, "epochs": 7, "seed": 9}
    assert found.model == {"beta": 4.0, "hidden": (8,)}


def test_a_later_budget_takes_the_place_of_an_earlier(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(YAML)
    found = gather("x.csv", {"minutes": 2.0}, (), str(path))
    assert found.training == {"lr": "1e-3", "seed": 5, "minutes": 2.0}
    with pytest.raises(OptionError, match="one budget"):
        gather("x.csv", {"minutes": 2.0, "epochs": 3})


def test_without_anything_it_is_a_vae():
    found = gather("x.csv", {})
    assert (found.recipe, found.data, found.model, found.training) == ("vae", {}, {}, {})


def test_a_named_data_set_has_options_of_its_own():
    assert gather("shapes", {}, ("data.n=50",)).data == {"n": 50}
    with pytest.raises(UnknownNameError):
        gather("x.csv", {}, ("data.n=50",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training.lrr=1", "Did you mean 'lr'"),
        ("model.betta=1", "Did you mean 'beta'"),
        ("modle.beta=1", "Did you mean 'model'"),
        ("data.lable=y", "Did you mean 'label'"),
        ("model.recipe=vea", "Did you mean 'vae'"),
        ("lr=1", "training.lr="),
        ("training.lr", "section.key=value"),
        ("model.beta=strong", "expected a number"),
        ("model.latent_dim=2.5", "expected a whole number"),
        ("model.latent_dim=[2]", "expected a number"),
    ],
)
def test_mistakes_say_what_was_meant(text, said):
    with pytest.raises((OptionError, UnknownNameError), match=said):
        gather("x.csv", {}, ("model.recipe=beta-vae", text))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.yaml", "a: [1", "not a readable"),
        ("c.toml", "a = ", "not a readable"),
        ("c.json", "{", "not a readable"),
        ("c.yaml", "just words", "sections"),
        ("c.yaml", "training: 3", "sections"),
        ("c.tolm", "", "Did you mean '.toml'"),
    ],
)
def test_config_files_that_cannot_be_used(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises((OptionError, UnknownNameError), match=said) as error:
        gather("x.csv", {}, (), str(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_missing_and_an_empty_config_file(tmp_path):
    with pytest.raises(OptionError, match="no config file"):
        gather("x.csv", {}, (), str(tmp_path / "none.yaml"))
    (tmp_path / "c.yaml").write_text("")
    assert gather("x.csv", {}, (), str(tmp_path / "c.yaml")).training == {}
