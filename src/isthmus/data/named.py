"""Data sets by name.

`digits` and `shapes` need no file. The others are looked for in the folder given, else in
ISTHMUS_DATA, else in the cache, as the files that their authors publish or as one `.npz`; where
none is found they are downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from isthmus.data.download import Remote
from isthmus.data.published import CIFAR_TAR, Published, published, read_cifar10, read_mnist
from isthmus.data.resident import FLOAT_BYTES, Resident
from isthmus.data.shapes import IMAGE, Sprites, choose, factors_of, render
from isthmus.data.source import Source
from isthmus.data.spec import DataSpec
from isthmus.registry import Registry

DATASETS = Registry("data set")

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
OBJECTS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


@DATASETS.register("digits")
def digits() -> Resident:
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships.

    Reference:
        Alpaydin, Kaynak, "Optical recognition of handwritten digits" (1998),
        https://doi.org/10.24432/C50P49.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    x = torch.from_numpy(np.asarray(found.images, np.float32) / 16)[:, None].contiguous()
    labels = torch.from_numpy(np.asarray(found.target, np.int64))
    spec = DataSpec("image", (1, 8, 8), "unit", len(x), "digits", classes=DIGITS, unit=16.0)
    return Resident(x, spec, labels=labels)


@DATASETS.register("shapes")
def shapes(
    n: int | None = None, seed: int = 0, factors: Mapping[str, Sequence[int]] | None = None
) -> Source:
    """Sprites of known factors, 64 x 64 and binary: shape, scale, orientation and two positions.

    Args:
        n: How many to draw from the grid, or None for all of it.
        seed: Of the draw.
        factors: For each factor that is named, the values to keep, such as {"shape": [0, 1]}.

    Reference:
        After Matthey, Higgins, Hassabis, Lerchner, "dSprites" (2017),
        https://github.com/google-deepmind/dsprites-dataset.
    """
    index = choose(n, seed, factors)
    drawn = Sprites(index)
    if len(index) * IMAGE * IMAGE * 4 > FLOAT_BYTES:
        return drawn
    known = factors_of(index)
    return Resident(render(known).float(), drawn.spec, labels=known[:, 0], factors=known)


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

MNIST = Published(
    "mnist",
    DIGITS,
    ("mnist.npz",),
    ("mnist", "MNIST/raw", "MNIST"),
    (
        Remote(_MNIST + "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        Remote(_MNIST + "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        Remote(_MNIST + "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        Remote(_MNIST + "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    read_mnist,
)
# Its files are called as MNIST's are: in one folder they would be taken for one another.
FASHION_MNIST = Published(
    "fashion-mnist",
    CLOTHES,
    ("fashion-mnist.npz", "fashion_mnist.npz"),
    ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
    (
        Remote(_FASHION + "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        Remote(_FASHION + "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        Remote(_FASHION + "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        Remote(_FASHION + "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    read_mnist,
    at_top=False,
)
CIFAR10 = Published(
    "cifar10",
    OBJECTS,
    ("cifar10.npz", "cifar10_small.npz"),
    ("cifar-10-batches-bin", "cifar10"),
    (Remote(f"https://www.cs.toronto.edu/~kriz/{CIFAR_TAR}", "c32a1d4ab5d03f1284b67883e8d87530"),),
    read_cifar10,
)


@DATASETS.register("mnist")
def mnist(folder: str | os.PathLike[str] | None = None) -> Source:
    """70,000 handwritten digits of 28 x 28 pixels; the last 10,000 are the test part.

    Args:
        folder: With its four idx files or mnist.npz; ISTHMUS_DATA, the cache or a download if None.

    Reference:
        LeCun, Bottou, Bengio, Haffner (1998), https://doi.org/10.1109/5.726791.
    """
    return published(MNIST, folder)


@DATASETS.register("fashion-mnist")
def fashion_mnist(folder: str | os.PathLike[str] | None = None) -> Source:
    """70,000 pictures of clothes of 28 x 28 pixels; the last 10,000 are the test part.

    Args:
        folder: With its four idx files or fashion-mnist.npz; ISTHMUS_DATA, the cache or a download
            if None.

    Reference:
        Xiao, Rasul, Vollgraf (2017), https://arxiv.org/abs/1708.07747.
    """
    return published(FASHION_MNIST, folder)


@DATASETS.register("cifar10")
def cifar10(folder: str | os.PathLike[str] | None = None) -> Source:
    """60,000 colour photographs of 32 x 32 pixels; the last 10,000 are the test part.

    Args:
        folder: With the six files of its binary version, their archive, or cifar10.npz;
            ISTHMUS_DATA, the cache or a download if None.

    Reference:
        Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
    """
    return published(CIFAR10, folder)
