"""The state of an unfinished run on disk: one safetensors file, replaced atomically.

Tensors are the weights, the optimizer's moments and the best weights so far. Everything else (position, history,
identity of the run) is JSON in the file's metadata, so the two can never disagree after a crash.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bertline.destination import remedy
from bertline.encoder.weights import write_tensors
from bertline.errors import TrainingError
from bertline.tasks.history import EpochRecord
from bertline.training.parallel.ranks import Ranks

STATE = "state.safetensors"


@dataclass
class Position:
    """Where a run is: completed epochs and batches, and their losses and figures."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_loss: float = 0.0
    epoch_items: int = 0
    best_epoch: int = 0
    finished: bool = False
    history: list[EpochRecord] = field(default_factory=list)

    @property
    def train_loss(self) -> float:
        """Mean per item of the epoch so far."""
        return self.epoch_loss / max(1, self.epoch_items)


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs."""

    position: Position
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    best: dict[str, Tensor]


def working_directory(out: Path) -> Path:
    """The directory, beside the bundle ``out``, of the state of its unfinished run."""
    return out.with_name(f".{out.name}.training")


def save_state(directory: Path, identity: Mapping[str, Any], state: State) -> None:
    """Replace the state on disk; a resumed run must have the same ``identity``.

    Raises:
        TrainingError: it cannot be written; an earlier state stays.
    """
    metadata = {"identity": json.dumps(dict(identity), sort_keys=True), "position": json.dumps(asdict(state.position))}
    fresh = directory / f"{STATE}.new"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_tensors(fresh, _named(state), metadata)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(directory / STATE)
    except OSError as error:
        raise _unsaved(directory, fresh, error) from error


def shared_state(state: State | None, ranks: Ranks) -> State | None:
    """The leader's state in every rank; so only the leader has to reach the checkpoint."""
    tensors = {} if state is None else _named(state)
    sizes = {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
    described = ranks.leaders(None if state is None else (state.position, sizes))
    if described is None:
        return None
    position, sizes = described
    if not ranks.leads:
        tensors = {name: torch.empty(shape, dtype=dtype) for name, (shape, dtype) in sizes.items()}
    ranks.share([*tensors.values()])
    return State(position, **_grouped(tensors))


def _named(state: State) -> dict[str, Tensor]:
    groups = {"weights": state.weights, "moments": state.moments, "best": state.best}
    return {f"{group}:{name}": tensor.contiguous() for group, some in groups.items() for name, tensor in some.items()}


def _grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "moments": {}, "best": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(":")
        groups[group][rest] = tensor
    return groups


def _unsaved(directory: Path, fresh: Path, error: OSError) -> TrainingError:
    """The reason why the state cannot be written, and the remedy."""
    with suppress(OSError):
        fresh.unlink(missing_ok=True)
    problem = f"the state of the run cannot be saved in {directory} ({error.strerror}): {remedy(error)}"
    if (directory / STATE).exists():
        return TrainingError(f"{problem}; the earlier state is kept: run the same command with --resume")
    if not _holds_weights(directory):
        discard_state(directory)
    return TrainingError(f"{problem}; there is no earlier state: run the same command again")


def load_state(directory: Path, identity: Mapping[str, Any]) -> State | None:
    """The state of an unfinished run, or None when there is none.

    Raises:
        TrainingError: the state is damaged, or belongs to other data or settings; the difference is named.
    """
    path = directory / STATE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        before, position = json.loads(metadata["identity"]), json.loads(metadata["position"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}): delete {directory} and start again without --resume"
        ) from error
    check_identity(directory, before, identity)
    position["history"] = [EpochRecord(**record) for record in position["history"]]
    return State(Position(**position), **_grouped(tensors))


def check_identity(directory: Path, before: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Check that a run is what the unfinished one in ``directory`` was.

    Raises:
        TrainingError: it has other data or settings; the difference is named.
    """
    changed = [name for name in sorted({*before, *identity}) if before.get(name) != identity.get(name)]
    if changed:
        raise TrainingError(
            f"the unfinished run in {directory} had another {', '.join(changed)}: "
            "resume with what it was started with, or pass --overwrite to start again"
        )


def state_bytes(directory: Path) -> int:
    """Size of the state on disk, 0 without one."""
    try:
        return (directory / STATE).stat().st_size
    except OSError:
        return 0


def discard_state(directory: Path) -> None:
    """Remove the state of a finished or abandoned run."""
    shutil.rmtree(directory, ignore_errors=True)


def _holds_weights(directory: Path) -> bool:
    """Whether there is a state, or the weights of a first stage."""
    return any(directory.rglob("*.safetensors"))


def settle_unfinished(directory: Path, *, resume: bool, overwrite: bool) -> None:
    """Before a run: leave an unfinished one to be resumed, or discard it.

    Raises:
        TrainingError: neither was requested.
    """
    if not directory.exists() or resume:
        return
    if not overwrite and _holds_weights(directory):
        raise TrainingError(
            f"an unfinished run is in {directory}: pass --resume to continue it or --overwrite to start again"
        )
    discard_state(directory)
