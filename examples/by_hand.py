"""Compose a model from parts: a convolutional VAE with free bits, on sprites of known factors.

It is trained, saved and loaded again, and then asked how much of each sprite's place a linear map
reads off its code.

    python examples/by_hand.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import isthmus as im


def compose(shape: tuple[int, ...], latent_dim: int) -> im.LatentModel:
    """A model for binary images."""
    likelihood = im.BernoulliLikelihood(shape)
    channels = (16, 32, 32, 32)
    encoder = im.ConvEncoder(shape, channels, features=128)
    return im.LatentModel(
        encoder=encoder,
        posterior=im.DiagonalGaussian(encoder.features, (latent_dim,)),
        prior=im.StandardNormal((latent_dim,)),
        decoder=im.ConvDecoder((latent_dim,), likelihood.parameter_shape(), channels, features=128),
        likelihood=likelihood,
    )


def linear_r2(codes: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """The share of each factor's variance (F,) that a linear map of codes (N, Z) explains."""
    codes, factors = codes - codes.mean(0), factors - factors.mean(0)
    missed = factors - codes @ torch.linalg.lstsq(codes, factors).solution
    return 1 - missed.square().sum(0) / factors.square().sum(0)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=25)
    options.add_argument("--images", type=int, default=2000)
    options.add_argument("--folder", type=Path, default=Path("runs/by-hand"))
    given = options.parse_args()

    # Ellipses of the largest size: what varies is the orientation and the place.
    data = im.load_data("shapes", n=given.images, factors={"shape": [1], "scale": [5]})
    model = compose(data.spec.shape, latent_dim=6)
    run = im.fit(data, model, objective=im.FreeBits(0.1), epochs=given.epochs)
    best = min(r["validation/loss"] for r in run.history if "validation/loss" in r)
    print(f"held-out loss at its best {best:.1f} nats per image")

    im.save(run.model, given.folder)
    model = im.load(given.folder)
    _, _, test = run.split.of(data)
    batch = next(test.chunks(len(test)))
    names = [name for name, _ in data.spec.factors]
    codes, factors = model.encode(batch.x), batch.factors.float()
    explained = dict(zip(names, linear_r2(codes, factors).tolist(), strict=True))
    for name in ("position x", "position y"):
        print(f"{name} read off the code of held-out images: R² {explained[name]:.2f}")


if __name__ == "__main__":
    main()
