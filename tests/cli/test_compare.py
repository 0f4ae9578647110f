from __future__ import annotations

import json
from pathlib import Path

import pytest

QUICK = ("--threads", 1, "--epochs", 1, "--samples", 5, "--models", "pca,vae")


def test_a_comparison_from_end_to_end(isthmus, refused, here):
    result = isthmus(
        "compare", "digits", *QUICK, "--latent-dim", 2, "--latent-dims", "2", "-o", "out"
    )
    assert max(map(len, result.stdout.splitlines()[:8])) <= 80
    assert "report.html" in result.stdout
    assert "training vae" in result.stderr
    found = json.loads(Path("out/metrics.json").read_text())
    assert {"pca", "vae"} <= {model["name"] for model in found["models"]}
    for finding in found["findings"]:
        assert finding["purpose"] in result.stdout
    page = Path("out/report.html").read_bytes()
    assert "empty" in refused("compare", "digits", *QUICK, "-o", "out").stderr
    Path("out/report.html").unlink()
    isthmus("report", "out")
    assert Path("out/report.html").read_bytes() == page
    assert "leave digits out" in refused("report", "out", "digits").stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-s", "model.beta=3"], "--models pca,beta-vae:beta=3"),
        (["-s", "mdoel.beta=3"], "Did you mean 'model'"),
        (["--latent-dims", "2,many"], "--latent-dims='many'"),
        (["--minutes", 1, "--epochs", 2], "one budget"),
        (["--seeds", 0], "--seeds"),
    ],
)
def test_refusals_leave_nothing(options, said, refused, here):
    assert said in refused("compare", "digits", *options, "-o", "out").stderr
    assert list(here.iterdir()) == []
