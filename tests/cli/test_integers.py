"""Integer codes from the command line and back."""

import numpy as np
import pytest
import torch

from isthmus.cli.given import as_codes, read_codes
from isthmus.data import load
from isthmus.fitting import fit
from isthmus.objectives import Reconstruction
from isthmus.recipes import Axes, assemble
from isthmus.registry import pick


@pytest.fixture(scope="module")
def run():
    source = load(np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32))
    built = assemble(
        source.spec,
        Axes(latent_dim=2, hidden=(8,)),
        Reconstruction(),
        posterior=pick("vq", n_codes=8),
        prior=pick("uniform-codes"),
        preferred="gaussian",
        grid=(3,),
    )
    return fit(source, built.model, objective=built.objective, epochs=1, threads=1)


@pytest.mark.parametrize("suffix", ["npy", "csv"])
@pytest.mark.parametrize("mode", ["mean", "argmax"])
def test_a_file_of_codes_is_read_as_what_it_is(run, tmp_path, suffix, mode):
    codes = run.model.encode(torch.randn(20, 5), mode)
    rows, path = codes.flatten(1).numpy(), tmp_path / f"codes.{suffix}"
    if suffix == "npy":
        np.save(path, rows)
    else:
        header = ",".join(f"z{i}" for i in range(rows.shape[1]))
        np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.9g")
    read = next(read_codes(run, str(path)).chunks(100)).x
    found = as_codes(run.model, read)
    assert found.dtype == codes.dtype
    torch.testing.assert_close(found, codes)
    torch.testing.assert_close(run.model.decode(found), run.model.decode(codes))
