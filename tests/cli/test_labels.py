"""Semi-supervised models and models of groups on the command line."""

import numpy as np
import pytest
import torch

from isthmus.fitting import Run

QUICK = ("--threads", "1", "--epochs", "2", "--device", "cpu", "--hidden", "16")
CENTRES = np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]])


def write_table(path, names):
    """Rows around a centre for each class, a label for every fifth of them."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=200)
    rows = CENTRES[kinds] + 0.5 * rng.normal(size=(200, 3))
    cells = [names[k] if i % 5 == 0 else "" for i, k in enumerate(kinds)]
    lines = [",".join([*(f"{v:.4f}" for v in row), c]) for row, c in zip(rows, cells, strict=True)]
    path.write_text("a,b,c,kind\n" + "\n".join(lines) + "\n")
    return kinds


@pytest.mark.parametrize("names", [("ant", "bee", "cow"), ("3", "5", "8")])
def test_a_table_with_few_labels(names, isthmus, refused, tmp_path):
    path, run = tmp_path / "t.csv", tmp_path / "run"
    kinds = write_table(path, names)
    fit = ("fit", path, "--recipe", "m2", "--condition", "kind", "--latent-dim", 2, "-o", run)
    steps = ("--epochs", 40, "--batch-size", 32, "--lr", 1e-2)
    assert "missing" in refused(*fit, *QUICK).stderr
    said = isthmus(*fit, *QUICK, *steps, "--missing")
    assert "training data are labelled" in said.stdout + said.stderr
    assert Run.read(run).spec.condition[0].categories == names

    # New data need no labels: the last three numbers of a code are q(y|x).
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(r.rsplit(",", 1)[0] for r in path.read_text().splitlines()) + "\n")
    isthmus("encode", run, bare, "--mode", "softmax", "-o", tmp_path / "z.npy")
    codes = np.load(tmp_path / "z.npy")
    assert codes.shape == (200, 5)
    assert (codes[:, 2:].argmax(1) == kinds).mean() > 0.9
    isthmus("score", run, bare, "--samples", 6, "-o", tmp_path / "s.npy")

    isthmus("sample", run, "--condition", names[1], "-n", 6, "-o", tmp_path / "x.npy")
    model = Run.read(run).model
    torch.manual_seed(0)
    expected = model.sample(6, condition=torch.eye(3)[1])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected.numpy())
    isthmus("sample", run, "-n", 6, "-o", tmp_path / "any.csv")

    for name, *condition in (("own",), ("other", "--condition", f"kind={names[2]}")):
        isthmus("reconstruct", run, bare, *condition, "-o", tmp_path / f"{name}.npy")
    own, other = (np.load(tmp_path / f"{n}.npy") for n in ("own", "other"))
    assert np.abs(own - other).max() > 0.01

    said = refused("sample", run, "--condition", "x", "-o", tmp_path / "y.npy").stderr
    assert "Unknown value of kind 'x'" in said
    said = refused("fit", bare, "--recipe", "m2", "-o", tmp_path / "no", *QUICK).stderr
    assert "conditioned on nothing" in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("recipe", ["m2", "ml-vae", "group-vae"])
def test_digits_by_their_label(recipe, isthmus, tmp_path):
    run = tmp_path / "run"
    arguments = ("digits", "--recipe", recipe, "--condition", "label", "--latent-dim", 4)
    isthmus("fit", *arguments, *QUICK, "--batch-size", 256, "-o", run)
    isthmus("encode", run, "digits", "-o", tmp_path / "z.npy")
    assert np.load(tmp_path / "z.npy").shape == (1797, 14 if recipe == "m2" else 4)
    condition = ("--condition", 3) if recipe == "m2" else ()
    isthmus("sample", run, *condition, "-n", 4, "-o", tmp_path / "x.png")
