"""Run folders: what is written comes back, and what is broken says so in one line."""

import json

import pytest
import torch
from torch import nn

import isthmus.store as store
from isthmus.data import DataSpec
from isthmus.errors import OptionError, RunError
from isthmus.recipes import build_recipe
from isthmus.registry import build, describe

SPEC = DataSpec("table", (6,), "real", 100)


def made(name="vae"):
    return build_recipe(name, SPEC, latent_dim=3, hidden=(8,)).model


@pytest.mark.parametrize("name", ["ae", "vae", "sigma-vae"])
def test_a_saved_model_gives_equal_outputs(tmp_path, name):
    """Buffers too; the contract tests walk all recipes."""
    model = made(name)
    with torch.no_grad():
        for buffer in model.buffers():
            buffer.add_(0.5)
    x = torch.randn(4, 6)
    again = store.load(store.save(model, tmp_path / "run"))
    torch.testing.assert_close(again.reconstruct(x), model.reconstruct(x), rtol=0, atol=0)
    assert describe(again) == describe(model)


def test_the_description_is_plain_json_and_builds_the_same_shapes():
    model = made()
    text = json.dumps(describe(model))
    again = build(json.loads(text))
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }


def test_a_part_that_is_not_registered_is_refused_before_anything_is_written(tmp_path):
    model = made()
    model._given["encoder"] = nn.Linear(6, 8)
    with pytest.raises(OptionError, match="Linear cannot be written"):
        store.save(model, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BREAKAGES = {
    "no folder": (lambda f: [p.unlink() for p in f.iterdir()] and f.rmdir(), "no run folder"),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "cut config": (lambda f: cut(f / "config.json"), "config.json cannot be read"),
    "newer format": (lambda f: edit_config(f, format=99), "has the format 99"),
    "a list": (lambda f: (f / "config.json").write_text("[1]"), "expected a JSON object"),
    "unknown part": (
        lambda f: edit_config(f, model={"part": "model/latemt"}),
        "Did you mean 'latent'",
    ),
    "unknown kind": (lambda f: edit_config(f, model={"part": "os/system"}), "cannot be built"),
    "unknown option": (
        lambda f: edit_config(f, model={"part": "posterior/diagonal", "feature": 3}),
        "Did you mean 'features'",
    ),
    "no model": (lambda f: edit_config(f, model={"a": 1}), "describes no model"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
    "cut weights": (lambda f: cut(f / "model.safetensors"), "cut or no safetensors file"),
    "foreign weights": (
        lambda f: store.write_tensors(f / "model.safetensors", {"a": torch.zeros(1)}),
        "lacks tensor",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_folder_says_which_file_and_what_to_do_in_one_line(tmp_path, breakage):
    folder = store.save(made(), tmp_path / "run")
    spoil, message = BREAKAGES[breakage]
    spoil(folder)
    with pytest.raises(RunError) as caught:
        store.load(folder)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert "run" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("decoder.layers.1.weight"), r"lacks tensor decoder\.layers\.1\.weight"),
        (lambda t: t.update(extra=torch.zeros(1)), "unknown tensor extra"),
        (
            lambda t: t.update({"posterior.head.bias": torch.zeros(5)}),
            r"another shape for tensor posterior\.head\.bias \(5,\) \(expected \(6,\)\)",
        ),
    ],
)
def test_a_wrong_tensor_is_named(tmp_path, change, message):
    folder = store.save(made(), tmp_path / "run")
    tensors = dict(store.read_tensors(folder / "model.safetensors"))
    change(tensors)
    store.write_tensors(folder / "model.safetensors", tensors)
    with pytest.raises(RunError, match=message):
        store.load(folder)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    store.write_json(path, {"a": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
