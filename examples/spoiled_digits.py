"""Find images that do not belong, with a VAE in a scikit-learn pipeline.

Every 20th held-out digit is spoiled: its lower half comes from another image. The model never saw
one of them, and ranks all held-out images by how likely they are.

    python examples/spoiled_digits.py
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from isthmus import VAE


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=40)
    given = options.parse_args()

    train, test = train_test_split(load_digits().data, test_size=0.3, random_state=0)
    spoiled = np.arange(len(test)) % 20 == 0
    test[spoiled, 32:] = np.roll(test, 1, axis=0)[spoiled, 32:]

    vae = VAE(latent_dim=8, epochs=given.epochs, threads=1, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), vae).fit(train)
    log_p = pipeline.score_samples(test)

    print(f"trained {vae.n_iter_:,} steps; mean log p(x) {log_p.mean():.1f} nats")
    print(
        f"spoiled images are less likely than others with AUC {roc_auc_score(spoiled, -log_p):.3f}"
    )
    print("the ten least likely:", np.argsort(log_p)[:10].tolist())


if __name__ == "__main__":
    main()
