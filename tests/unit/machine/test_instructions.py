from __future__ import annotations

import platform
from pathlib import Path

import pytest

from bertline.machine.instructions import processor


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ("fpu sse4_1 ssse3", "no AVX2"),
        ("fpu sse4_1 avx2 fma", "AVX2 without VNNI"),
        ("fpu avx2 avx512f avx512bw avx512_bf16", "AVX-512 without VNNI"),
        ("fpu avx2 avx_vnni", "AVX-VNNI"),
        ("fpu avx2 avx512f avx512bw avx512_vnni", "AVX512-VNNI"),
        ("fpu avx2 avx512bw avx512_vnni amx_int8", "AMX"),
    ],
)
def test_a_processor_is_named_with_its_best_instructions_for_bytes(tmp_path: Path, flags: str, kind: str) -> None:
    """M3: figures of speed say for which processor they are."""
    core = (
        f"processor\t: 0\nmodel name\t: A CPU: with flags\nvmx flags\t: avx_vnni\nflags\t\t: {flags}\nbugs\t\t: none\n"
    )
    (tmp_path / "cpuinfo").write_text(f"{core}\n{core}")
    assert processor(tmp_path / "cpuinfo") == f"A CPU: with flags ({kind})"


@pytest.mark.parametrize(
    ("features", "kind"),
    [("fp asimd asimddp i8mm", "I8MM"), ("fp asimd asimddp", "dot product"), ("fp asimd", "no dot product")],
)
def test_a_processor_of_another_kind_has_other_instructions(tmp_path: Path, features: str, kind: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nFeatures\t: {features}\n")
    assert processor(tmp_path / "cpuinfo") == f"{platform.processor() or platform.machine()} ({kind})"


def test_outside_linux_it_uses_pythons_figures(tmp_path: Path) -> None:
    assert processor(tmp_path / "absent") == (platform.processor() or platform.machine())
