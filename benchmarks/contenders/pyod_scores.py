"""How unusual rows are to PyOD's detectors, in an environment that has pyod.

Each job names a file, the rows that train and the rows that are judged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.pca import PCA
from pyod.models.vae import VAE
from serving import serve_jobs
from sklearn.preprocessing import StandardScaler

torch.set_num_threads(1)


def scores(job: dict[str, Any]) -> dict[str, Any]:
    stored = np.load(job["path"])["X"]
    train, test = stored[job["train"]], stored[job["test"]]
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    seed, width = job["seed"], train.shape[1]
    torch.manual_seed(seed)
    np.random.seed(seed)
    detectors = {
        # It divides by the variance of every axis, which must not be 0.
        "PCA": PCA(n_components=int(np.linalg.matrix_rank(train)), random_state=seed),
        "VAE": VAE(
            encoder_neuron_list=[4 * width, 2 * width, width],
            decoder_neuron_list=[width, 2 * width, 4 * width],
            latent_dim=2,
            preprocessing=False,
            random_state=seed,
            device="cpu",
            verbose=0,
        ),
        "AutoEncoder": AutoEncoder(preprocessing=False, random_state=seed, device="cpu", verbose=0),
    }
    return {
        name: detector.fit(train).decision_function(test).tolist()
        for name, detector in detectors.items()
    }


serve_jobs(scores)
