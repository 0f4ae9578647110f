"""Two processes give the gradient of one on the joint batch: convolutions, critic and all.

In float64, equal to 1e-9 of each gradient's largest element.
"""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

SCRIPT = "gradients.py"


def difference(one, other):
    """By name: the largest difference, relative to the largest element."""
    assert one.keys() == other.keys()
    # Some gradients are zero but for rounding, as that of the keys' bias in an attention.
    largest = {name: max(float(t.abs().max()), 1e-6) for name, t in one.items()}
    return {n: float((t - other[n]).abs().max()) / largest[n] for n, t in one.items()}


@pytest.fixture
def joint(start, tmp_path):
    """The gradients of one process on all the data."""
    alone = start(script=SCRIPT, weights=str(tmp_path / "joint"))
    alone.join(120)
    assert alone.exitcode == 0
    return load_file(tmp_path / "joint")


def test_two_processes_give_the_gradient_of_the_joint_batch(joint, start_two, tmp_path):
    ranks = start_two(script=SCRIPT, weights=str(tmp_path / "both"))
    assert [process.exitcode for process in ranks] == [0, 0]
    one, other = (load_file(f"{tmp_path / 'both'}.{rank}") for rank in range(2))
    assert max(difference(one, other).values()) == 0
    far = {name: d for name, d in difference(joint, one).items() if d > 1e-9}
    # What moves only the encoder is balanced by norms over data, to whose sum 1e-4 is added.
    assert all(name.startswith("gan-encoder.") and d < 1e-3 for name, d in far.items()), far
    kinds = {(name.split(".")[0], name.split(".")[2]) for name in joint if "book" not in name}
    assert kinds == {
        *(("gan", part) for part in ("encoder", "posterior", "decoder", "critics")),
        *(("gan-encoder", part) for part in ("encoder", "posterior", "critics")),
        ("elbo-decoder", "decoder"),
    }
    # Buffers are the leader's.
    assert all(one[f"{case}.book"].tolist() == [1.0] * 3 for case in ("gan", "gan-encoder"))


def test_a_weight_that_each_process_finds_alone_would_not(joint, start_two, tmp_path):
    ranks = start_two(script=SCRIPT, weights=str(tmp_path / "apart"), sharing=False)
    assert [process.exitcode for process in ranks] == [0, 0]
    found = difference(joint, load_file(f"{tmp_path / 'apart'}.0"))
    assert max(d for name, d in found.items() if name.startswith("gan.model")) > 1e-3
    # The critic's own game has no such weight.
    assert max(d for name, d in found.items() if ".critic." in name) < 1e-9
