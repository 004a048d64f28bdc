from __future__ import annotations

import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from bertline.encoder.weights import read_tensors
from bertline.errors import CheckpointError

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1.5, -2.0]), "c": torch.tensor([3])}


def shard(directory: Path, kind: str = "model", suffix: str = "safetensors") -> Path:
    """Two shards and their index."""
    names = [f"{kind}-0000{i}-of-00002.{suffix}" for i in (1, 2)]
    for name, keys in zip(names, (("a",), ("b", "c")), strict=True):
        part = {key: TENSORS[key] for key in keys}
        save_file(part, directory / name) if suffix == "safetensors" else torch.save(part, directory / name)
    index = directory / f"{kind}.{suffix}.index.json"
    index.write_text(json.dumps({"weight_map": {"a": names[0], "b": names[1], "c": names[1]}}))
    return index


def equal(found: dict[str, Tensor]) -> bool:
    return found.keys() == TENSORS.keys() and all(torch.equal(found[name], one) for name, one in TENSORS.items())


def test_one_file(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    assert equal(read_tensors(tmp_path))


@pytest.mark.parametrize(("kind", "suffix"), [("model", "safetensors"), ("pytorch_model", "bin")])
def test_shards(tmp_path: Path, kind: str, suffix: str) -> None:
    shard(tmp_path, kind, suffix)
    assert equal(read_tensors(tmp_path))


def test_an_old_bin_file(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert equal(read_tensors(tmp_path))


def test_safetensors_come_before_an_old_bin_file(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    shard(tmp_path)
    assert equal(read_tensors(tmp_path))
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    assert list(read_tensors(tmp_path)) == ["a"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_precision_becomes_fp32_and_integers_stay(tmp_path: Path, dtype: torch.dtype) -> None:
    save_file(
        {name: one.to(dtype) if name != "c" else one for name, one in TENSORS.items()}, tmp_path / "model.safetensors"
    )
    found = read_tensors(tmp_path)
    assert equal(found)
    assert [found[name].dtype for name in "abc"] == [torch.float32, torch.float32, torch.int64]


def test_entries_that_are_not_tensors_are_left_out(tmp_path: Path) -> None:
    torch.save({**TENSORS, "epoch": 3, 4: torch.ones(1)}, tmp_path / "pytorch_model.bin")
    assert equal(read_tensors(tmp_path))


class Bomb:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.system, (f"echo ran > {self.path}",))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_runs_none(tmp_path: Path, zipped: bool) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / "pytorch_model.bin"
    torch.save({**TENSORS, "bomb": Bomb(proof)}, path, _use_new_zipfile_serialization=zipped)
    sentence = (
        f"{path} is damaged or contains more than tensors, and bertline runs no code from a checkpoint: "
        "use the model's safetensors file"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read_tensors(tmp_path)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Bomb(proof)))
    assert proof.exists()  # it is live: only the loader kept it from running


@pytest.mark.parametrize("path", [("state_dict",), ("model_state_dict",), ("model",), ("module",), ("model", "module")])
def test_a_state_dict_inside_of_a_training_scripts_checkpoint(tmp_path: Path, path: tuple[str, ...]) -> None:
    """T5."""
    content: dict[str, Any] = dict(TENSORS)
    for name in reversed(path):
        content = {name: content, "epoch": 3, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}
    torch.save(content, tmp_path / "pytorch_model.bin")
    assert equal(read_tensors(tmp_path))


def test_several_state_dicts_inside(tmp_path: Path) -> None:
    """T5: which one is meant cannot be known."""
    torch.save({"model": TENSORS, "state_dict": TENSORS}, tmp_path / "pytorch_model.bin")
    sentence = f"{tmp_path / 'pytorch_model.bin'} has several state dicts (state_dict, model): save the one that you"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read_tensors(tmp_path)


def test_a_bin_file_without_a_table(tmp_path: Path) -> None:
    torch.save(torch.ones(2), tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is not a state dict: use a checkpoint with one"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_named(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    save_file(TENSORS, path) if name.endswith("safetensors") else torch.save(TENSORS, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError, match=re.escape(str(path)) + " (cannot be read|is damaged)"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_file_of_something_else_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90868376\n")
    with pytest.raises(CheckpointError, match=re.escape(str(tmp_path / name)) + " (cannot be read|is damaged)"):
        read_tensors(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    sentence = f"{tmp_path} has no weights: it needs model.safetensors or pytorch_model.bin beside config.json"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read_tensors(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    shard(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    sentence = (
        f"{tmp_path} lacks the shard model-00002-of-00002.safetensors that model.safetensors.index.json names: copy it"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read_tensors(tmp_path)


def test_a_weight_in_two_shards(tmp_path: Path) -> None:
    """T5: as after a copy of one checkpoint's shards over another's."""
    shard(tmp_path)
    save_file({"a": torch.ones(2, 3)}, tmp_path / "model-00002-of-00002.safetensors")
    sentence = (
        f"{tmp_path / 'model-00002-of-00002.safetensors'} has a, which is also in another shard: download them again"
    )
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read_tensors(tmp_path)


@pytest.mark.parametrize(
    "place", ["../outside.safetensors", "{tmp}/outside.safetensors", "deeper/../../outside.safetensors"]
)
def test_a_shard_outside_of_the_directory_is_refused(tmp_path: Path, place: str) -> None:
    save_file(TENSORS, tmp_path / "outside.safetensors")
    inside = tmp_path / "model"
    (inside / "deeper").mkdir(parents=True)
    place = place.format(tmp=tmp_path)
    (inside / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": place}}))
    sentence = f"names a shard outside its directory ({place}): this checkpoint is not safe to load"
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read_tensors(inside)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": {}}', '{"weight_map": null}', "\x00"]
)
def test_a_damaged_index_is_named(tmp_path: Path, content: str) -> None:
    index = shard(tmp_path)
    index.write_text(content)
    with pytest.raises(CheckpointError, match=re.escape(f"{index} is not a shard index (")):
        read_tensors(tmp_path)


@pytest.mark.parametrize("name", [3, "", "..", ".", None])
def test_an_index_that_names_no_file(tmp_path: Path, name: object) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match=r"lacks the shard|names a shard outside"):
        read_tensors(tmp_path)
