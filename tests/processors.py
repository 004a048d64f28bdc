"""Other processors than this one: QEMU runs the same interpreter and the same libraries, told that less is there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tests.programs import program as needed

# What QEMU calls a processor of each kind. It emulates nothing newer than AVX2.
EMULATED = {"AVX2 without VNNI": "Haswell", "SSE4.2": "Nehalem"}
OVERFLOWS = {"AVX2 without VNNI": True, "SSE4.2": False}


def emulated(kind: str, program: str, *arguments: object) -> str:
    """What a Python program prints on a processor of this kind; it takes some ten times as long as here.

    Without the emulator the test is skipped, in continuous integration it fails.
    """
    if platform.machine() != "x86_64":
        pytest.skip(f"{platform.machine()} libraries cannot be run as x86-64")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [
        needed("qemu-x86_64-static"),
        "-cpu",
        EMULATED[kind],
        sys.executable,
        "-c",
        program,
        *map(str, arguments),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    own = [line for line in ran.stderr.splitlines() if "TCG doesn't support" not in line]
    assert ran.returncode == 0, "\n".join(own)
    return ran.stdout
