"""Which autoencoder does a table need? 569 biopsies, 30 measurements each, and what was found.

python examples/which_model.py
python examples/which_model.py --epochs 5      # a quick look
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_breast_cancer

import isthmus as im


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, help="for each model; the default makes 6,000 steps")
    options.add_argument("--folder", type=Path, default=Path("runs/which-model"))
    given = options.parse_args()

    found = load_breast_cancer(as_frame=True)
    names = found.target_names[found.target]
    data = im.load_data(found.data, labels=names, name="biopsies")
    comparison = im.compare(
        data,
        models=["pca", "ae", "vae", "sigma-vae"],
        latent_dim=4,
        latent_dims=[2, 4],
        samples=100,
        folder=given.folder,
        say=print,
        epochs=given.epochs,
    )
    for finding in comparison.findings:
        print(f"\n{finding.purpose}: {finding.winner}\n  {finding.text}")
    print(f"\nreport: {im.write_report(comparison, given.folder / 'report.html')}")


if __name__ == "__main__":
    main()
