"""The structural objective in the model's own units."""

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.recipes import build_recipe
from isthmus.ssim import multi_scale_similarity


@pytest.mark.usefixtures("float64")
def test_similarity_is_measured_on_the_range_of_the_data_as_the_model_sees_them():
    source = load(np.random.default_rng(0).uniform(3.0, 7.0, size=(30, 9, 9)), kind="image")
    built = build_recipe("ms-ssim-vae", source.spec, latent_dim=2, hidden=(8,), scale=5.0)
    model, objective = built.model.double(), built.objective.double()
    x = next(source.chunks(30)).x.double()
    model.scaling.fit(source)
    objective.see(source, model.scaling)
    evidence = model.evidence(x)
    loss = objective(evidence)
    rebuilt = model.scaling.inverse(evidence.px.mean[0])
    lowest, highest = x.min(), x.max()
    images = ((t - lowest) / (highest - lowest) for t in (rebuilt, x))
    expected = 1.0 - multi_scale_similarity(*images)
    torch.testing.assert_close(loss.terms["dissimilarity"], expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(loss.total, 5.0 * expected.mean() + evidence.rate.mean())
