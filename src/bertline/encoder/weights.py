"""Read tensors from a checkpoint directory (safetensors or ``.bin``, whole or in shards), and write them.

``.bin`` files are pickles, and read only with torch's weights-only loader, which runs no code.
"""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertline.errors import CheckpointError

_WHOLE = ("model.safetensors", "pytorch_model.bin")
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_SHARDED = ("model.safetensors.index.json", "pytorch_model.bin.index.json")

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")  # entries of a training script's checkpoint


def read_tensors(directory: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint by name; floating-point ones as fp32.

    Raises:
        CheckpointError: no weights, a missing shard, a damaged file.
    """
    tensors: dict[str, Tensor] = {}
    for path in _weight_files(directory):
        part = _read_file(path)
        if twice := tensors.keys() & part.keys():
            raise CheckpointError(
                f"{path} has {min(twice)}, which is also in another shard: download them again from the model's source"
            )
        tensors |= part
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file atomically.

    Raises:
        OSError: it cannot be written; the library's own error has the number only in its text.
    """
    try:
        save_file(dict(tensors), path, metadata=None if metadata is None else dict(metadata))
    except SafetensorError as error:
        if (system := _SYSTEM_ERROR.search(str(error))) is None:
            raise
        number = int(system[1])
        raise OSError(number, os.strerror(number), str(path)) from error


def _weight_files(directory: Path) -> list[Path]:
    for whole, sharded in zip(_WHOLE, _SHARDED, strict=True):
        if (directory / whole).is_file():
            return [directory / whole]
        if (directory / sharded).is_file():
            return _shards(directory / sharded)
    raise CheckpointError(f"{directory} has no weights: it needs {' or '.join(_WHOLE)} beside config.json")


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{index} is not a shard index ({error!r}): copy it again from the model's source"
        ) from error
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(
                f"{index} names a shard outside its directory ({name}): this checkpoint is not safe to load"
            )
        if not (index.parent / name).is_file():
            raise CheckpointError(f"{index.parent} lacks the shard {name} that {index.name} names: copy it there")
    return [index.parent / name for name in names]


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        loaded = load_file(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file fails in many ways: SafetensorError, RuntimeError, EOFError, KeyError …
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} cannot be read ({reason}): copy it again from the model's source") from error
    loaded = _unwrapped(loaded, path)
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path} is not a state dict: use a checkpoint with one")
    return {name: tensor for name, tensor in loaded.items() if isinstance(name, str) and isinstance(tensor, Tensor)}


def _unwrapped(loaded: object, path: Path) -> object:
    """The state dict inside a training script's checkpoint; anything else unchanged."""
    if not isinstance(loaded, dict) or any(isinstance(one, Tensor) for one in loaded.values()):
        return loaded
    inside = {name: _unwrapped(loaded[name], path) for name in _WRAPPERS if isinstance(loaded.get(name), dict)}
    if len(inside) > 1:
        raise CheckpointError(
            f"{path} has several state dicts ({', '.join(inside)}): save the one that you want in a separate file"
        )
    return next(iter(inside.values()), loaded)


def _read_pickle(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged or contains more than tensors, and bertline runs no code from a checkpoint: "
            "use the model's safetensors file"
        ) from error
