from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import pathlib
from bertline.training.memory import give_back

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1])

kept, freed = [], []
for _ in range(2_000):  # blocks of 40 KB between ones that stay, which glibc keeps in its heap
    freed.append(bytes(40_000))
    kept.append(bytes(600))
full = resident()
freed.clear()
give_back()
print(full, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_freed_goes_back_to_the_system() -> None:
    given = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    full, after = map(int, given.stdout.split())
    assert full - after > 8_000  # pages, of the 20,000 that were freed
