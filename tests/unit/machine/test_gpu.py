from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.inference import torch_backend
from bertline.machine.gpu import torch_sees_gpu

ASKS = """
import sys
from pathlib import Path
import bertline.machine.gpu as module
found = module.torch_sees_gpu([Path(one) for one in sys.argv[1:]])
print(found, "torch" in sys.modules)
"""


def asked(*traces: Path, before: str = "") -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", before + ASKS, *map(str, traces)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.split()


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """What a driver leaves."""
    (tmp_path / "nvidiactl").touch()
    return tmp_path / "nvidiactl"


def test_without_a_drivers_traces_torch_is_not_even_imported(tmp_path: Path) -> None:
    assert asked(tmp_path / "absent") == ["False", "False"]


def test_without_torch_no_gpu_is_used(driver: Path) -> None:
    assert asked(driver, before="import sys; sys.modules['torch'] = None")[0] == "False"


@pytest.mark.parametrize("sees", [False, True])
def test_with_a_driver_torch_is_consulted(
    tmp_path: Path, driver: Path, monkeypatch: pytest.MonkeyPatch, sees: bool
) -> None:
    monkeypatch.setattr(torch_backend.torch.cuda, "is_available", lambda: sees)
    assert torch_sees_gpu([tmp_path / "absent", driver]) is sees
    assert not torch_sees_gpu([tmp_path / "absent"])
