from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bertline.bundle import Bundle, writing
from bertline.errors import BundleError, CheckpointError, SettingsError
from bertline.inference import load as module
from bertline.inference import load_predictor
from bertline.inference.predictor import Backend
from bertline.inference.torch_backend import TorchBackend
from bertline.testing.tiny import TEXTS, write_tiny_bundle


def test_a_bundle_becomes_a_predictor(bundle: Path) -> None:
    predictor = load_predictor(bundle)
    assert {one.label for one in predictor.predict(TEXTS)} <= set(predictor.labels)


def test_a_damaged_bundle_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    weights = tmp_path / "tiny" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.safetensors in .*tiny was altered"):
        load_predictor(tmp_path / "tiny")
    assert load_predictor(tmp_path / "tiny", verify=False).labels == ("negative", "neutral", "positive")


def test_a_bundle_without_a_model_is_a_checkpoint_error(tmp_path: Path) -> None:
    manifest = write_tiny_bundle(tmp_path / "whole")
    with writing(tmp_path / "hollow", manifest) as staging:
        (staging / "vocab.txt").write_bytes((tmp_path / "whole" / "vocab.txt").read_bytes())
    with pytest.raises(CheckpointError, match=r"hollow has no config\.json"):
        load_predictor(tmp_path / "hollow")


def test_a_bundle_replaced_while_it_is_loaded_is_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never the labels of one bundle with the weights of another."""
    target = tmp_path / "tiny"
    write_tiny_bundle(target, labels=("a", "b"))
    torch_backend, seen = module._Loader._torch, []

    def replacing(loader: module._Loader, device: str) -> Backend:
        seen.append(loader.bundle.version)
        if len(seen) == 1:
            write_tiny_bundle(target, labels=("x", "y"), seed=1, overwrite=True)
        return torch_backend(loader, device)

    monkeypatch.setattr(module._Loader, "_torch", replacing)
    predictor = load_predictor(target)
    assert predictor.labels == ("x", "y")
    assert predictor.version == seen[1] != seen[0]
    fresh = load_predictor(target).score(TEXTS).logits
    np.testing.assert_array_equal(predictor.score(TEXTS).logits, fresh)


def test_a_bundle_that_never_rests_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    monkeypatch.setattr(Bundle, "is_current", lambda self: False)
    with pytest.raises(BundleError, match="is being replaced again and again: wait until its writer is done"):
        load_predictor(tmp_path / "tiny")


def test_a_device_that_is_not_there_is_a_settings_error(bundle: Path) -> None:
    with pytest.raises(SettingsError, match=r"torch cannot use the device 'toaster' .*: choose cpu, cuda or auto"):
        load_predictor(bundle, device="toaster")


def test_the_back_end_answers_in_fp32_without_gradients(bundle: Path) -> None:
    network = TorchBackend(bundle, device="cpu")._network
    assert not network.training
    assert {str(one.dtype) for one in network.parameters()} == {"torch.float32"}
    assert not any(one.requires_grad for one in network.parameters())


WITHOUT_TORCH = """
import sys
from pathlib import Path
sys.modules["torch"] = None
import bertline.inference
from bertline.errors import BundleError
try:
    bertline.inference.load_predictor(Path(sys.argv[1]))
except BundleError as error:
    print(error)
"""


def test_without_torch_the_error_names_the_extra(bundle: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WITHOUT_TORCH, str(bundle)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "needs PyTorch to answer and torch is not installed: pip install 'bertline[train]'" in result.stdout
