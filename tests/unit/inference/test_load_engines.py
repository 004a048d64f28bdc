"""Which engine answers: the bundle's order, and loudly another one where an engine cannot be trusted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bertline.bundle import Manifest, load, writing
from bertline.bundle.engine import Engine
from bertline.errors import BundleError, EngineWarning, SettingsError, UsageError
from bertline.export.exporter import FP32, Recipe, export
from bertline.export.network import Network
from bertline.inference import load as module
from bertline.inference import load_predictor
from bertline.inference.predictor import Backend
from bertline.inference.torch_backend import TorchBackend
from bertline.testing.tiny import TEXTS, tiny_classifier, write_tiny_bundle

OTHER = Engine(name="other", precision="fp32", file="engines/other.onnx")
PROBED = r"its logits of the probe texts are off by .*% of their spread, and 0\.1.% is allowed for fp32"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with one engine, which tests only read."""
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture
def rewritten(tiny: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle like ``tiny`` with other engines and other files in it."""

    def write(engines: tuple[Engine, ...], files: dict[str, bytes]) -> Path:
        bundle = load(tiny)
        manifest = Manifest(**{**dict(bundle.manifest), "engines": engines})
        with writing(tmp_path / "tiny", manifest) as staging:
            shutil.copytree(tiny, staging, dirs_exist_ok=True)
            for path, content in files.items():
                (staging / path).write_bytes(content)
        return tmp_path / "tiny"

    return write


def network(seed: int) -> Network:
    return Network.of(tiny_classifier(family="bert", labels=3, pooling="cls", seed=seed))


def graph(seed: int = 0) -> bytes:
    return export(network(seed), Recipe())


def test_the_bundles_first_engine_answers_without_a_word(tiny: Path) -> None:
    predictor = load_predictor(tiny)
    assert predictor.engine == "fp32"
    expected = load_predictor(tiny, engine="torch")
    assert expected.engine == "torch"
    np.testing.assert_allclose(predictor.score(TEXTS).logits, expected.score(TEXTS).logits, atol=1e-5, rtol=0)


def test_a_bundle_without_engines_is_answered_by_torch(bundle: Path) -> None:
    assert load_predictor(bundle).engine == "torch"


def test_a_requested_device_is_a_pytorch_device(tiny: Path) -> None:
    """``device`` names where PyTorch computes, so no engine for the CPU stands in."""
    with pytest.raises(SettingsError, match="torch cannot use the device 'toaster'"):
        load_predictor(tiny, device="toaster")


# ------------------------------------------------------------------------------------------------- with a GPU


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch says that there is one."""
    monkeypatch.setattr(module, "torch_sees_gpu", lambda: True)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that PyTorch is asked for; all of them are the CPU."""
    asked: list[str] = []

    def backend(loader: module._Loader, device: str) -> Backend:
        asked.append(device)
        return TorchBackend(loader.bundle.path, device="cpu")

    monkeypatch.setattr(module._Loader, "_torch", backend)
    return asked


@pytest.mark.usefixtures("a_gpu")
def test_where_pytorch_sees_a_gpu_it_answers_on_it(tiny: Path, bundle: Path, devices: list[str]) -> None:
    assert [load_predictor(one).engine for one in (tiny, bundle)] == ["torch", "torch"]
    assert devices == ["cuda", "cuda"]


@pytest.mark.usefixtures("a_gpu")
def test_a_gpu_changes_nothing_if_another_device_is_requested(tiny: Path, devices: list[str]) -> None:
    assert load_predictor(tiny, device="cpu").engine == "fp32"
    assert load_predictor(tiny, engine="fp32").engine == "fp32"
    assert devices == []
    assert load_predictor(tiny, engine="torch", device="cpu").engine == "torch"
    assert devices == ["cpu"]


@pytest.mark.usefixtures("a_gpu")
@pytest.mark.skipif(torch.cuda.is_available(), reason="here the GPU can be used")
def test_where_the_gpu_cannot_be_used_the_cpus_engines_answer_and_pytorch_on_the_cpu_last(
    tiny: Path, bundle: Path
) -> None:
    with pytest.warns(
        EngineWarning, match=r"engine torch of .* is not used: torch cannot use the device 'cuda' .*; fp32"
    ):
        assert load_predictor(tiny).engine == "fp32"
    with pytest.warns(EngineWarning, match=r"'cuda' .*; torch answers instead"):
        assert load_predictor(bundle).engine == "torch"


# ------------------------------------------------------------------------------------------------- without one


def test_a_bundle_reached_by_a_link_is_read(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(tiny)
    assert load_predictor(tmp_path / "current").engine == "fp32"


def test_the_engine_bounds_batches_unless_overridden(rewritten: Callable[..., Path]) -> None:
    target = rewritten((FP32.model_copy(update={"batch_tokens": 77}),), {})
    assert load_predictor(target).batch_tokens == 77
    assert load_predictor(target, batch_tokens=99).batch_tokens == 99


def test_an_engine_that_computes_something_else_is_refused_by_name(rewritten: Callable[..., Path]) -> None:
    target = rewritten((OTHER,), {"engines/other.onnx": graph(seed=1)})
    remedy = "make the engine again with bertline optimize; torch answers instead"
    message = rf"the engine other of .*tiny is not used: {PROBED}: {remedy}"
    with pytest.warns(EngineWarning, match=message):
        predictor = load_predictor(target)
    assert predictor.engine == "torch"
    np.testing.assert_array_equal(
        predictor.score(TEXTS).logits, load_predictor(target, engine="torch").score(TEXTS).logits
    )


def test_the_next_engine_is_tried_first(rewritten: Callable[..., Path]) -> None:
    target = rewritten((OTHER, FP32), {"engines/other.onnx": b"no graph"})
    with pytest.warns(EngineWarning, match=r"other of .* is not used: .*cannot load it .*; fp32 answers instead"):
        assert load_predictor(target).engine == "fp32"


def test_a_requested_engine_is_never_substituted(rewritten: Callable[..., Path]) -> None:
    target = rewritten((OTHER, FP32), {"engines/other.onnx": graph(seed=1)})
    with pytest.raises(BundleError, match=PROBED):
        load_predictor(target, engine="other")
    assert load_predictor(target, engine="fp32").engine == "fp32"


def test_an_engine_of_fewer_labels_is_refused(rewritten: Callable[..., Path]) -> None:
    two = export(Network.of(tiny_classifier(family="bert", labels=2, pooling="cls")))
    target = rewritten((OTHER,), {"engines/other.onnx": two})
    with pytest.raises(BundleError, match=r"its logits of the probe texts have the shape \[7, 2\] instead of \[7, 3\]"):
        load_predictor(target, engine="other")


def test_an_unknown_engine_lists_the_available_ones(tiny: Path) -> None:
    with pytest.raises(UsageError, match=r"tiny has no engine int4: it has fp32, torch; bertline optimize makes other"):
        load_predictor(tiny, engine="int4")


def test_a_changed_byte_of_an_engine_is_refused_by_its_hash(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    file = tmp_path / "tiny" / "model.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx in .*tiny was altered after the bundle was written"):
        load_predictor(tmp_path / "tiny")


def test_damaged_probes_are_reported(rewritten: Callable[..., Path]) -> None:
    target = rewritten((FP32,), {"engines/probes.json": b"[]"})
    with pytest.raises(BundleError, match=r"probes\.json is not a file of probes"):
        load_predictor(target)


def test_without_onnxruntime_torch_answers_with_a_warning(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bertline.inference.onnx_backend", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = r"fp32 of .* is not used: onnxruntime is not installed: pip install 'bertline\[serve\]'; torch answers"
    with pytest.warns(EngineWarning, match=message):
        assert load_predictor(tiny).engine == "torch"
    with pytest.raises(BundleError, match="onnxruntime is not installed"):
        load_predictor(tiny, engine="fp32")


def test_where_nothing_can_answer_every_reason_is_given(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bertline.inference.onnx_backend", "bertline.inference.torch_backend"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("onnxruntime", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BundleError, match=r"fp32 of .*onnxruntime is not installed.*; the engine torch of .*PyTorch"):
        load_predictor(tiny)


def cascade_of(*parts: str, threshold: float) -> Engine:
    return Engine(name="cascade", kind="cascade", precision="fp32", parts=parts, threshold=threshold)


STUDENT = Engine(name="student", precision="fp32", network="student", file="engines/student.onnx")


def test_a_cascade_answers_with_both_of_its_engines(tiny: Path, rewritten: Callable[..., Path]) -> None:
    """The second network is another one, and no probes are there for it: so answers tell who gave them."""
    sure = np.array([max(one.probabilities.values()) for one in load_predictor(tiny, engine="fp32").predict(TEXTS)])
    threshold = float(np.median(sure)) + 1e-4
    both = (cascade_of("fp32", "student", threshold=threshold), FP32, STUDENT)
    target = rewritten(both, {"engines/student.onnx": graph(seed=1)})
    predictor = load_predictor(target)
    assert predictor.engine == "cascade"
    first, second = (load_predictor(target, engine=name).score(TEXTS).logits for name in ("fp32", "student"))
    unsure = sure < threshold
    assert unsure.tolist().count(True) == len(TEXTS) // 2 + 1
    expected = np.where(unsure[:, None], second, first)
    np.testing.assert_allclose(predictor.score(TEXTS).logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("parts", [("fp32", "gone"), ("fp32", "cascade")])
def test_a_cascade_of_missing_engines_is_refused(rewritten: Callable[..., Path], parts: tuple[str, str]) -> None:
    target = rewritten((cascade_of(*parts, threshold=0.8), FP32), {})
    message = rf"cascade of .* is not used: its part {parts[1]} is not an engine of the bundle: .*; fp32 answers"
    with pytest.warns(EngineWarning, match=message):
        assert load_predictor(target).engine == "fp32"


def test_a_cascade_with_a_part_that_fails_its_probes_is_refused(rewritten: Callable[..., Path]) -> None:
    both = (cascade_of("fp32", "other", threshold=0.8), FP32, OTHER)
    target = rewritten(both, {"engines/other.onnx": graph(seed=1)})
    with pytest.warns(EngineWarning, match=rf"cascade of .* is not used: {PROBED}"):
        assert load_predictor(target).engine == "fp32"


CALLER = """
import sys, warnings
from pathlib import Path
from bertline.inference import load_predictor
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    load_predictor(Path(sys.argv[1]))  # line 7
print([(Path(one.filename).name, one.lineno) for one in caught])
"""


def test_a_warning_points_at_the_line_that_loads(rewritten: Callable[..., Path], tmp_path: Path) -> None:
    target = rewritten((OTHER, FP32), {"engines/other.onnx": b"no graph"})
    script = tmp_path / "caller.py"
    script.write_text(CALLER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(target)]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert shown == "[('caller.py', 7)]\n"


def test_a_classifier_that_reads_long_texts_by_windows_is_probed_with_the_mean_of_the_windows(tmp_path: Path) -> None:
    """Nothing but training keeps such a bundle from being made, and one of its probe texts has several windows."""
    write_tiny_bundle(tmp_path / "tiny", engine=True, truncation="window")
    by_engine, by_torch = load_predictor(tmp_path / "tiny"), load_predictor(tmp_path / "tiny", engine="torch")
    assert (by_engine.engine, by_torch.engine) == ("fp32", "torch")
    assert len(by_engine.pieces(TEXTS, "logits")[0][3].pieces) > 1
    for one, other in zip(by_engine.predict(TEXTS), by_torch.predict(TEXTS), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    network, *_ = json.loads((tmp_path / "tiny" / "engines" / "probes.json").read_text())["logits"].values()
    assert len(network) == len(TEXTS)
