"""Perceptual distances: their numbers against naive sums and another library, and their files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from isthmus.errors import CheckpointError, OptionError, UnknownNameError
from isthmus.perceptual import (
    LPIPS,
    PERCEPTUAL,
    TRUNKS,
    RandomFeatures,
    Structural,
    choose_perceptual,
)
from isthmus.perceptual.weights import FOLDER_VARIABLE
from isthmus.ssim import multi_scale_similarity

OFFLINE = [entry.name for entry in PERCEPTUAL if entry.name != "lpips"]


def pictures(n=3, channels=3, side=32):
    draw = torch.Generator().manual_seed(5)
    x = 2.0 * torch.rand(n, channels, side, side, generator=draw) - 1.0
    return x, (x + 0.3 * torch.randn(x.shape, generator=draw)).clamp(-1.0, 1.0)


def layers(net):
    """torchvision's `features` of a network, with small random weights."""
    generator = torch.Generator().manual_seed(1)
    made = TRUNKS.create(net).layers
    with torch.no_grad():
        for p in made.parameters():
            fan = p[0].numel() if p.dim() > 1 else 100
            p.copy_(torch.randn(p.shape, generator=generator) * (2.0 / fan) ** 0.5)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Made weights of both networks, in the published layouts."""
    at = tmp_path_factory.mktemp("weights")
    draw = torch.Generator().manual_seed(2)
    for net in ("vgg16", "alexnet"):
        stored = {f"features.{key}": t for key, t in layers(net).state_dict().items()}
        stored["classifier.6.bias"] = torch.zeros(3)
        name = f"{net}-397923af" if net == "vgg16" else net
        save_file(stored, at / f"{name}.safetensors")
        learned = {
            f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1, generator=draw)
            for i, width in enumerate(TRUNKS.create(net).widths)
        }
        save_file(learned, at / f"lpips-{net}.safetensors")
    return at


def naive(net, folder, x, y):
    """LPIPS as its paper writes it, a layer at a time."""
    from safetensors.torch import load_file

    learned = load_file(folder / f"lpips-{net}.safetensors")
    mean = torch.tensor([0.485, 0.456, 0.406]) * 2 - 1
    spread = torch.tensor([0.229, 0.224, 0.225]) * 2
    # Published with three digits.
    a, b = ((t - mean.view(3, 1, 1)) / spread.view(3, 1, 1) for t in (x, y))
    total, level = torch.zeros(len(x)), 0
    found = list(layers(net))
    for i, layer in enumerate(found):
        a, b = layer(a), layer(b)
        last = i + 1 == len(found) or isinstance(found[i + 1], nn.MaxPool2d)
        if isinstance(layer, nn.ReLU) and (net == "alexnet" or last):
            u, v = (t / t.norm(dim=1, keepdim=True) for t in (a, b))
            weights = learned[f"lin{level}.model.1.weight"].view(-1)
            total = total + torch.einsum("nchw,c->nhw", (u - v) ** 2, weights).mean((1, 2))
            level += 1
    assert level == 5
    return total


@pytest.mark.parametrize("net", ["vgg16", "alexnet"])
def test_lpips_is_its_formula(net, folder):
    x, y = pictures(n=2, side=36)
    distance = LPIPS(net, str(folder))
    found = distance(x, y)
    assert found.shape == (2,)
    with torch.no_grad():
        torch.testing.assert_close(found, naive(net, folder, x, y), rtol=2e-3, atol=0)
    assert not list(filter(lambda p: p.requires_grad, distance.parameters()))


@pytest.mark.parametrize(("net", "theirs"), [("vgg16", "vgg"), ("alexnet", "alex")])
def test_lpips_with_the_published_weights_is_another_library_s(
    net, theirs, folder, tmp_path, monkeypatch
):
    module = pytest.importorskip("torchmetrics.functional.image.lpips", reason="torchmetrics")
    monkeypatch.setattr(module, "_get_tv_model_features", lambda *_: layers(net))
    oracle = module._LPIPS(net=theirs)
    learned = {
        k: v.clone()
        for k, v in oracle.state_dict().items()
        if k.startswith("lin") and "lins" not in k
    }
    save_file(learned, tmp_path / f"lpips-{net}.safetensors")
    stored = {f"features.{key}": t for key, t in layers(net).state_dict().items()}
    save_file(stored, tmp_path / f"{net}.safetensors")
    x, y = pictures(side=40)
    with torch.no_grad():
        expected = oracle(x, y).flatten()
        found = LPIPS(net, str(tmp_path))(x, y)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_weights_that_cannot_be_used_are_named(folder, tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(OptionError, match=f"set {FOLDER_VARIABLE}"):
        LPIPS()
    with pytest.raises(UnknownNameError, match="vgg16"):
        LPIPS("vgg", str(folder))
    with pytest.raises(CheckpointError, match="no alexnet"):
        LPIPS("alexnet", str(tmp_path))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"x")
    with pytest.raises(
        CheckpointError, match=r"is a pickle.*weights_only=True.*alexnet\.safetensors"
    ):
        LPIPS("alexnet", str(tmp_path))
    stored = {f"features.{key}": t for key, t in layers("alexnet").state_dict().items()}
    del stored["features.3.bias"]
    save_file(stored, tmp_path / "alexnet.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks the tensors features\.3\.bias"):
        LPIPS("alexnet", str(tmp_path))
    save_file({**stored, "features.3.bias": torch.zeros(7)}, tmp_path / "alexnet.safetensors")
    with pytest.raises(
        CheckpointError, match=r"features\.3\.bias of shape \(7,\); expected \(192,\)"
    ):
        LPIPS("alexnet", str(tmp_path))
    (tmp_path / "alexnet.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="cannot be read"):
        LPIPS("alexnet", str(tmp_path))


def test_the_choice_says_what_it_took(folder, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    made, notes = choose_perceptual()
    assert isinstance(made, Structural)
    assert len(notes) == 1
    assert "stands in" in notes[0]
    assert choose_perceptual("structural")[1] == ()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    made, notes = choose_perceptual()
    assert isinstance(made, LPIPS)
    assert notes == ()
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert isinstance(choose_perceptual("auto", str(folder))[0], LPIPS)


def test_structural_is_one_less_the_similarity():
    x, y = pictures(side=40)
    expected = 1.0 - multi_scale_similarity((x + 1) / 2, (y + 1) / 2)
    torch.testing.assert_close(Structural()(x, y), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert Structural()(x, y).equal(expected)


def test_random_features_are_a_naive_sum():
    x, y = pictures(n=2, side=20)
    distance = RandomFeatures(width=6, scales=2, seed=3)
    fine, coarse = distance.fine.numpy(), distance.coarse.numpy()
    rows = fine.reshape(6, -1)
    np.testing.assert_allclose(rows @ rows.T, np.eye(6), atol=1e-5)
    np.testing.assert_allclose(rows.mean(1), 0.0, atol=1e-6)

    def convolved(images, filters):
        half = filters.shape[-1] // 2
        padded = np.pad(images, ((0, 0), (0, 0), (half, half), (half, half)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[-2:], (2, 3))
        return np.einsum("ncijab,kcab->nkij", windows, filters)

    def unit(maps):
        return maps / np.sqrt(1e-2 + (maps**2).sum(1, keepdims=True))

    parts = []
    a, b = x.numpy().astype(float), y.numpy().astype(float)
    for _ in range(2):
        first = [convolved(t, fine) for t in (a, b)]
        second = [np.maximum(convolved(np.maximum(t, 0), coarse), 0) for t in first]
        for u, v in (first, second):
            parts.append(((unit(u) - unit(v)) ** 2).sum(1).mean((1, 2)))
        a, b = (t.reshape(2, 3, len(t[0, 0]) // 2, 2, -1, 2).mean((3, 5)) for t in (a, b))
    np.testing.assert_allclose(distance(x, y).numpy(), np.mean(parts, 0), rtol=1e-4)


@pytest.mark.parametrize("name", OFFLINE)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_pictures_are_compared_and_gradients_reach_them(name, channels):
    for size in ((32, 32), (7, 5), (9, 30)):
        x = (2.0 * torch.rand(4, channels, *size) - 1.0).requires_grad_()
        # Opposed pictures have a structural similarity of zero, and no slope.
        y = (0.7 * x + 0.2 * torch.randn(x.shape)).detach()
        distance = PERCEPTUAL.create(name)
        found = distance(x, y)
        assert found.shape == (4,)
        assert (found > 0).all()
        assert distance(y, y).abs().max() < 1e-5
        torch.testing.assert_close(found, distance(y, x))
        (slope,) = torch.autograd.grad(found.sum(), x)
        assert slope.isfinite().all()
        assert (slope.flatten(1).norm(dim=1) > 0).all()


@pytest.mark.parametrize("name", [*OFFLINE, "lpips"])
def test_distances_and_gradients_survive_flat_pictures_and_half_precision(name, folder):
    given = {"folder": str(folder), "net": "alexnet"} if name == "lpips" else {}
    distance = PERCEPTUAL.create(name, **given)
    x = torch.zeros(2, 1, 32, 32, requires_grad=True)
    y = F.pad(torch.ones(2, 1, 16, 16), (8, 8, 8, 8))
    for target in (y, torch.zeros_like(y)):
        (slope,) = torch.autograd.grad(distance(x, target).sum(), x)
        assert slope.isfinite().all()
    exact = distance(x, y)
    with torch.autocast("cpu", torch.bfloat16):
        rough = distance(x, y)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=1e-3)
