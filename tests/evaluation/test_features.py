"""The feature space inception: what it feeds its network, and what it says where parts miss."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from isthmus.errors import DataError, MissingDependencyError
from isthmus.evaluation.features import FEATURES, MEAN, SPREAD


class Small(nn.Module):
    """In the network's place: the mean of every channel, and whether the side is right."""

    def __init__(self, **settings):
        super().__init__()
        assert settings == {"weights": None, "init_weights": False, "transform_input": False}
        self.scale = nn.Parameter(torch.zeros(()))
        self.fc = nn.Linear(1, 1)

    def forward(self, x):
        assert x.shape[1:] == (3, 299, 299)
        return self.fc(self.scale * x.mean((2, 3)))


@pytest.fixture
def torchvision(monkeypatch, tmp_path):
    models = types.ModuleType("torchvision.models")
    models.inception_v3 = Small
    package = types.ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


def test_pictures_arrive_as_the_network_knows_them(torchvision):
    torchvision.mkdir()
    state = {"scale": torch.tensor(2.0), "fc.weight": torch.ones(1, 1), "fc.bias": torch.ones(1)}
    torch.save(state, torchvision / "inception_v3_google-0.pth")
    features = FEATURES.create("inception")
    x = np.random.default_rng(0).random((3, 1, 8, 8))
    flat = np.broadcast_to(x.mean((2, 3), keepdims=True), x.shape)
    truth = 2 * (flat[:, :, 0, 0] - np.array(MEAN)) / np.array(SPREAD)
    np.testing.assert_allclose(features(flat), truth, atol=1e-5)
    assert features(x).shape == (3, 3)
    with pytest.raises(DataError, match="1 or 3 channels"):
        features(x + 1)
    with pytest.raises(DataError, match="1 or 3 channels"):
        features(np.ones((3, 4)))


def test_missing_weights_and_a_missing_package_say_so(torchvision, monkeypatch):
    with pytest.raises(MissingDependencyError, match="put torchvision's file there"):
        FEATURES.create("inception")
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(MissingDependencyError, match="pip install torchvision"):
        FEATURES.create("inception")
