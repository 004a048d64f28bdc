from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertline.machine.requirements import too_old

KVM64 = "fpu de pse tsc msr pae cx8 mmx fxsr sse sse2 syscall nx lm pni cx16 hypervisor"
NEHALEM = f"{KVM64} ssse3 sse4_1 sse4_2 popcnt"
STARTED = """
import sys
from pathlib import Path
import bertline.machine.requirements
bertline.machine.requirements.CPUINFO = Path(sys.argv[1])
try:
    from bertline.cli.main import main
finally:
    print("numpy" in sys.modules)
"""


def cpuinfo(path: Path, flags: str) -> Path:
    core = f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {flags}\nbugs\t\t: none\n"
    path.write_text(f"{core}\n{core}")
    return path


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        (KVM64, "ssse3, sse4_1, sse4_2, popcnt"),
        (f"{KVM64} ssse3", "sse4_1, sse4_2, popcnt"),
        (f"{KVM64} ssse3 sse4_1 popcnt", "sse4_2"),
    ],
)
def test_missing_instructions_are_named_with_the_remedy(tmp_path: Path, flags: str, missing: str) -> None:
    """M2: what is below the least processor is said before a library ends the process."""
    assert too_old(cpuinfo(tmp_path / "cpuinfo", flags)) == (
        f"this processor has no {missing}, which numpy, PyTorch and onnxruntime need: use one with x86-64-v2 (2009 or "
        "later); for a virtual machine, choose a processor type such as host instead of kvm64 or qemu64"
    )


def test_the_least_processor_is_enough(tmp_path: Path) -> None:
    assert too_old(cpuinfo(tmp_path / "cpuinfo", NEHALEM)) is None
    assert too_old() is None, "tests run here"


@pytest.mark.parametrize("content", ["", "processor\t: 0\nFeatures\t: fp asimd asimddp\n"])
def test_another_kind_of_processor_is_not_judged(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    assert too_old(tmp_path / "cpuinfo") is None
    assert too_old(tmp_path / "absent") is None


@pytest.mark.parametrize(("flags", "code"), [(KVM64, 1), (NEHALEM, 0)])
def test_the_command_says_it_before_it_imports_a_library(tmp_path: Path, flags: str, code: int) -> None:
    """M2."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", STARTED, str(cpuinfo(tmp_path / "cpuinfo", flags))]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout) == (code, "False\n"), "libraries are imported when a command runs"
    assert ran.stderr.startswith("error: this processor has no ssse3") is (code == 1)
    assert ran.stderr.count("\n") == code, "one sentence, or nothing"
