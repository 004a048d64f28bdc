from __future__ import annotations

from pathlib import Path

import pytest

from bertline.inference.instructions import adds_in_16_bits

XEON = "fpu sse4_1 avx2 avx512f avx512_vnni amx_int8"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse4_1 ssse3", True),
        ("fpu sse4_1 avx2 fma", True),
        ("fpu avx2 avx512f avx512bw avx512_bf16", True),  # neither AVX-512 nor bf16 is enough
        ("fpu avx2 avx_vnni", False),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("fpu avx2 amx_int8", False),
        (XEON, False),
    ],
)
def test_only_vnni_and_amx_add_in_32_bits(tmp_path: Path, flags: str, expected: bool) -> None:
    core = (
        f"processor\t: 0\nmodel name\t: A CPU: with flags\nvmx flags\t: avx_vnni\nflags\t\t: {flags}\nbugs\t\t: none\n"
    )
    (tmp_path / "cpuinfo").write_text(f"{core}\n{core}")
    assert adds_in_16_bits(tmp_path / "cpuinfo") is expected


@pytest.mark.parametrize("content", ["", "processor\t: 0\nFeatures\t: fp asimd asimddp\n"])
def test_another_kind_of_cpu_does_not_tell(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    assert adds_in_16_bits(tmp_path / "cpuinfo") is None
    assert adds_in_16_bits(tmp_path / "absent") is None
