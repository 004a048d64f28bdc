from __future__ import annotations

from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.deploy import measuring
from bertline.errors import BertlineError
from bertline.machine.cores import usable_cores
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.deploy.charts import bundle_of


@pytest.mark.drill
@pytest.mark.filterwarnings("ignore:this machine is busy")
def test_a_server_is_started_loaded_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "STEP_S", 0.05)
    monkeypatch.setattr(measuring, "IN_FLIGHT", (1, 2))
    monkeypatch.setenv("BERTLINE_SERVE_PORT", "none")  # of another server: not this one's
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    lines: list[str] = []
    measured = measuring.measure(load(tmp_path / "tiny"), lines.append)
    assert (measured.engine, measured.threads) == ("fp32", usable_cores())
    assert measured.throughput_rps > 0
    assert measured.in_flight in (1, 2)
    assert 50 * 2**20 < measured.memory_bytes < 4 * 2**30  # Python with onnxruntime, twice
    assert [line.partition(" ")[0] for line in lines] == ["ready", "1", "2"]


@pytest.mark.drill
@pytest.mark.filterwarnings("ignore:this machine is busy")
def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(
        BertlineError, match=r"^nowhere could not be measured, because its server did not start: .*nowhere"
    ):
        measuring.measure(bundle_of())
