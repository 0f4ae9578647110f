"""Hub names, without a network: a stand-in that downloads, and the real cache on disk."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path
from typing import Any

import pytest

from isthmus import optional
from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.errors import CheckpointError, MissingDependencyError
from isthmus.pretrained import KLConfig, hub

huggingface_hub = pytest.importorskip("huggingface_hub", reason="the hub's client is not installed")

NAME = "someone/autoencoder"
CONFIG = KLConfig(block_out_channels=(8, 8), norm_num_groups=4)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A pipeline, as it lies on the hub."""
    folder = tmp_path / "remote"
    model = AutoencoderKL(CONFIG)
    model.save_pretrained(folder / "vae")
    model.save_pretrained(folder / "vae", variant="fp16")
    (folder / "unet").mkdir()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"large")
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(b"large")
    (folder / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    return folder


@pytest.fixture
def client(remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A download that copies what the patterns allow; what was asked of it."""
    calls: list[dict[str, Any]] = []

    def download(name: str, allow_patterns: list[str], **asked: Any) -> str:
        calls.append({"name": name, **asked})
        for path in remote.rglob("*"):
            inside = path.relative_to(remote).as_posix()
            if path.is_file() and any(fnmatch.fnmatch(inside, p) for p in allow_patterns):
                (tmp_path / "cache" / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, tmp_path / "cache" / inside)
        (tmp_path / "cache").mkdir(exist_ok=True)
        return str(tmp_path / "cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return calls


def fetched(tmp_path: Path) -> set[str]:
    cache = tmp_path / "cache"
    return {p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file()}


def test_config_and_one_variant_are_all_that_is_fetched(
    client: list[dict[str, Any]], tmp_path: Path
) -> None:
    model = AutoencoderKL.from_pretrained(NAME, variant="fp16", revision="v1")
    assert model.config == CONFIG
    assert fetched(tmp_path) == {
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    }
    asked = {"name": NAME, "revision": "v1", "local_files_only": False}
    assert client == [asked, asked]


def test_the_root_is_tried_first(
    client: list[dict[str, Any]], remote: Path, tmp_path: Path
) -> None:
    AutoencoderKL(KLConfig(block_out_channels=(4,), norm_num_groups=2)).save_pretrained(remote)
    assert AutoencoderKL.from_pretrained(NAME).config.block_out_channels == (4,)
    assert not {n for n in fetched(tmp_path) if n.startswith(("unet", "vae/diff"))}
    assert AutoencoderKL.from_pretrained(NAME, subfolder="vae").config == CONFIG


def test_a_repository_without_an_autoencoder(client: list[dict[str, Any]], remote: Path) -> None:
    shutil.rmtree(remote / "vae")
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        AutoencoderKL.from_pretrained(NAME)


def test_a_folder_of_that_name_comes_first(
    client: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    AutoencoderKL(CONFIG).save_pretrained(NAME)
    assert hub.locate(NAME) == Path(NAME)
    assert client == []


@pytest.mark.parametrize(
    "place", ["no-such-folder", "./a/b", "/a/b", "a/b/c", "owner/", Path("owner/name")]
)
def test_what_is_no_hub_name(client: list[dict[str, Any]], place: Any) -> None:
    with pytest.raises(CheckpointError, match="There is no folder or file"):
        hub.locate(place)
    assert client == []


@pytest.fixture
def cache(remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real client's cache, in which the pipeline was fetched before."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    repository = folder / "models--someone--autoencoder"
    shutil.copytree(remote, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return folder


def test_the_clients_own_cache_is_read_without_a_network(cache: Path) -> None:
    model = AutoencoderKL.from_pretrained(NAME, local_files_only=True)
    assert model.config == CONFIG
    assert AutoencoderKL.from_pretrained(NAME, local_files_only=True, revision=COMMIT)


def test_what_was_never_fetched_is_said_in_one_line(cache: Path) -> None:
    with pytest.raises(CheckpointError, match="'other/name' was never fetched") as error:
        AutoencoderKL.from_pretrained("other/name", local_files_only=True)
    assert "\n" not in str(error.value)
    with pytest.raises(CheckpointError, match="at revision 'v9' was never fetched"):
        AutoencoderKL.from_pretrained(NAME, local_files_only=True, revision="v9")


def test_an_unreachable_hub_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise ConnectionError("no route to the hub\nand a long trace")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=r"cannot be fetched \(ConnectionError: no route"):
        AutoencoderKL.from_pretrained(NAME)


def test_without_the_client_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(optional.importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError, match="reading 'someone/autoencoder' from the hub"):
        hub.locate(NAME)
