"""Data sets by name, from their published files and from archives."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from isthmus.data import DATASETS, Resident, load, split
from isthmus.data.published import CIFAR_TAR
from isthmus.errors import DataError, OptionError

RNG = np.random.default_rng(4)
TRAIN, TEST = RNG.integers(0, 256, (2, 6, 28, 28), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)
STEMS = {"train": (TRAIN, LABELS), "t10k": (TEST, LABELS[::-1])}


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, *, compressed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, (images, labels) in STEMS.items():
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{stem}-{kind}-ubyte{'.gz' if compressed else ''}"
            path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))


def resident(data_set: str, **options: object) -> Resident:
    found = load(data_set, **options)  # type: ignore[arg-type]
    assert isinstance(found, Resident)
    return found


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees this machine's files or its network."""
    monkeypatch.delenv("ISTHMUS_DATA", raising=False)
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))


def check_mnist(source: Resident, name: str = "mnist") -> None:
    assert source.spec.name == name
    assert (source.spec.shape, source.spec.support) == ((1, 28, 28), "unit")
    assert source.test_from == 6
    (batch,) = source.chunks(99)
    expected = np.concatenate([TRAIN, TEST])[:, None] / 255
    np.testing.assert_allclose(batch.x.numpy(), expected, rtol=1e-6)
    assert len(source.spec.classes) == 10
    assert batch.labels is not None
    assert len(batch.labels) == 12


def test_digits_are_scikit_learns() -> None:
    source = resident("digits")
    ours = load_digits()
    assert (source.spec.shape, source.spec.support, source.spec.unit) == ((1, 8, 8), "unit", 16.0)
    np.testing.assert_array_equal((source.x[:, 0] * 16).numpy(), ours.images)
    assert source.labels is not None
    np.testing.assert_array_equal(source.labels.numpy(), ours.target)
    assert source.spec.classes == tuple("0123456789")
    assert split(source).record.sizes == (1258, 180, 359)
    assert resident("digits", name="mine").spec.name == "mine"


def test_the_list_of_names() -> None:
    assert [entry.name for entry in DATASETS] == [
        "digits",
        "shapes",
        "mnist",
        "fashion-mnist",
        "cifar10",
    ]
    assert all(entry.summary for entry in DATASETS)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
def test_mnist_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool, place: str
) -> None:
    write_idx(tmp_path / "files" / place, compressed=compressed)
    source = resident("mnist", folder=tmp_path / "files")
    check_mnist(source)
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path / "files"))
    check_mnist(resident("mnist"))


def test_label_values_keep_their_class(tmp_path: Path) -> None:
    write_idx(tmp_path / "files")
    source = resident("mnist", folder=tmp_path / "files")
    assert source.labels is not None
    named = [source.spec.classes[i] for i in source.labels.tolist()]
    assert named == list("314159951413")


def test_mnist_from_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(
        tmp_path / "mnist.npz",
        train_images=TRAIN,
        train_labels=LABELS,
        test_images=TEST,
        test_labels=LABELS,
    )
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    source = resident("mnist")
    check_mnist(source)
    assert source.labels is not None
    assert [source.spec.classes[i] for i in source.labels.tolist()] == list("314159") * 2


def test_fashion_is_not_taken_for_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.download.urllib.request.urlopen", _no_network)
    write_idx(tmp_path / "files")
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path / "files"))
    with pytest.raises(DataError, match="fashion-mnist"):
        load("fashion-mnist")
    check_mnist(resident("fashion-mnist", folder=tmp_path / "files"), "fashion-mnist")
    write_idx(tmp_path / "files" / "fashion-mnist")
    source = resident("fashion-mnist")
    assert source.spec.classes[9] == "Ankle boot"


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no route to host")


def test_without_a_network_it_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.data.download.urllib.request.urlopen", _no_network)
    with pytest.raises(DataError) as caught:
        load("mnist")
    said = str(caught.value)
    for part in ("no route to host", "t10k-labels-idx1-ubyte.gz", "ISTHMUS_DATA", "mnist.npz"):
        assert part in said
    assert "\n" not in said
    with pytest.raises(DataError, match=r"no mnist in .*put train-images-idx3-ubyte.gz"):
        load("mnist", folder=tmp_path)


def test_cut_files_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path)
    images = tmp_path / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-5])
    with pytest.raises(DataError, match="it is cut"):
        load("mnist", folder=tmp_path)
    images.write_bytes(b"hello there, this is text")
    with pytest.raises(DataError, match="no idx file of 3 axes"):
        load("mnist", folder=tmp_path)
    images.unlink()
    images.with_name(images.name + ".gz").write_bytes(b"hello")
    with pytest.raises(DataError, match="cannot be decompressed"):
        load("mnist", folder=tmp_path)
    write_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:4]))
    with pytest.raises(DataError, match="6 \\+ 6 images but 4 \\+ 6 labels"):
        load("mnist", folder=tmp_path)


CIFAR = RNG.integers(0, 256, (12, 3, 32, 32), np.uint8)
CIFAR_LABELS = np.arange(12, dtype=np.uint8) % 10


def cifar_files() -> dict[str, bytes]:
    rows = np.concatenate([CIFAR_LABELS[:, None], CIFAR.reshape(12, -1)], axis=1)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    return {name: rows[2 * i : 2 * i + 2].tobytes() for i, name in enumerate(names)}


@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_from_its_files(tmp_path: Path, packed: bool) -> None:
    if packed:
        with tarfile.open(tmp_path / CIFAR_TAR, "w:gz") as tar:
            for name, data in cifar_files().items():
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    else:
        (tmp_path / "cifar-10-batches-bin").mkdir()
        for name, data in cifar_files().items():
            (tmp_path / "cifar-10-batches-bin" / name).write_bytes(data)
    source = resident("cifar10", folder=tmp_path)
    np.testing.assert_allclose(next(source.chunks(99)).x.numpy(), CIFAR / 255, rtol=1e-6)
    assert source.test_from == 10
    assert source.spec.classes[:2] == ("airplane", "automobile")


def test_a_damaged_cifar10(tmp_path: Path) -> None:
    (tmp_path / CIFAR_TAR).write_bytes(b"hello")
    with pytest.raises(DataError, match="not the published archive"):
        load("cifar10", folder=tmp_path)
    for name, data in cifar_files().items():
        (tmp_path / name).write_bytes(data[:-1])
    with pytest.raises(DataError, match="no multiple of 3073"):
        load("cifar10", folder=tmp_path)


def test_options_that_do_not_apply(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="option of data set 'digits'"):
        load("digits", folder=tmp_path)
    with pytest.raises(OptionError, match="kind= does not apply"):
        load("digits", kind="table")
    with pytest.raises(OptionError, match="columns= does not apply"):
        load("digits", columns=[1])


def test_the_real_mnist(data_folder: Path) -> None:
    source = resident("mnist", folder=data_folder)
    assert len(source) == 70_000
    train = source.x[:60_000].double()
    # The figures that every MNIST normalisation uses.
    assert float(train.mean()) == pytest.approx(0.13066, abs=1e-5)
    assert float(train.std()) == pytest.approx(0.30811, abs=1e-5)
    assert source.labels is not None
    assert torch.bincount(source.labels[60_000:]).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
