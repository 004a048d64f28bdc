"""No library reports to its maker: with onnxruntime and the hub's client in use, the home directory stays empty."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle

VARIABLES = (
    "ORT_DISABLE_TELEMETRY",
    "HF_HUB_DISABLE_TELEMETRY",
    "MLFLOW_DISABLE_TELEMETRY",
    "DISABLE_TELEMETRY",
    "DO_NOT_TRACK",
)

# Answers, then tells what Python opened or asked of sockets meanwhile, and which sockets the process holds.
ANSWER = """
import json, os, sys

asked = []
sys.addaudithook(lambda event, args: asked.append(event) if event.startswith("socket.") else None)
import huggingface_hub.constants
from pathlib import Path
from bertline.inference import load_predictor

load_predictor(Path(sys.argv[1]), engine="fp32").predict(["a film"])
folder = Path("/proc/self/fd")
links = [os.readlink(one) for one in folder.iterdir() if one.exists()]
told = {"asked": asked, "sockets": [one for one in links if one.startswith("socket:")]}
print(json.dumps(told | {"hub": huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY}))
"""


def bare(home: Path, **more: str) -> dict[str, str]:
    """The environment of a user at ``home`` who has not opted out of anything; CI would count as opting out."""
    kept = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "CI", "TF_BUILD")}
    kept = {name: value for name, value in kept.items() if not name.startswith(("XDG_", "HF_", "GITHUB_"))}
    return {**kept, "HOME": str(home), **more}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=12)
    return target


def run(code: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *code], env=environment, capture_output=True, text=True, check=False)


def test_answering_leaves_nothing_in_the_home_directory_and_opens_no_socket(bundle: Path, tmp_path: Path) -> None:
    """T20: onnxruntime keeps an id and a database of events in ~/.cache unless it is told not to."""
    home = tmp_path / "home"
    home.mkdir()
    before = sorted(bundle.rglob("*"))
    done = run(["-c", "import bertline\n" + ANSWER, str(bundle)], bare(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"asked": [], "sockets": [], "hub": True}
    assert list(home.rglob("*")) == []
    assert sorted(bundle.rglob("*")) == before


@pytest.mark.parametrize("command", ["predict", "evaluate", "optimize"])
def test_an_unwritable_home_causes_no_warning(bundle: Path, tmp_path: Path, command: str) -> None:
    """T20: "Failed to persist telemetry device ID" was printed where a service has no home."""
    (tmp_path / "rows.csv").write_text("text,label\na film,positive\nit is,negative\n")
    arguments = {
        "predict": [str(bundle), "a film"],
        "evaluate": [str(bundle), str(tmp_path / "rows.csv")],
        "optimize": [str(bundle), "--dry-run"],
    }
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"  # below a file: root cannot make it either
    done = run(["-m", "bertline.cli.main", command, *arguments[command]], bare(home))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_users_environment_cannot_switch_it_on(bundle: Path, tmp_path: Path) -> None:
    """T20: also where a variable says otherwise, and where onnxruntime is used by a child process."""
    home = tmp_path / "home"
    home.mkdir()
    child = "import subprocess, sys, bertline; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    session = f"import onnxruntime; onnxruntime.InferenceSession({str(bundle / 'model.onnx')!r})"
    done = run(["-c", child, session], bare(home, ORT_DISABLE_TELEMETRY="0"))
    assert (done.returncode, done.stderr) == (0, "")
    assert list(home.rglob("*")) == []
