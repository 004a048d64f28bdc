"""The command as one types it: what it prints, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.bundle import load
from bertline.cli.optimize import EPILOG, register
from bertline.errors import BundleError, SettingsError
from bertline.machine.instructions import processor
from bertline.optimization import run
from bertline.optimization.cold_start import ColdStart
from bertline.testing.tiny import write_tiny_bundle

app = typer.Typer(pretty_exceptions_enable=False)
register(app)
QUICK = ("--repetitions", 1, "--speed-rows", 16)


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


def bertline(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["optimize", *map(str, arguments)], env={"COLUMNS": "160"})


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "reviews"
    write_tiny_bundle(target, engine=True, rows=30)
    return target


def test_the_help_has_the_example() -> None:
    result = bertline("--help")
    assert result.exit_code == 0
    assert EPILOG in " ".join(result.output.split())


def test_a_dry_run_lists_the_work_and_its_duration_and_changes_nothing(reviews: Path) -> None:
    before = load(reviews).version
    result = bertline(reviews, "--dry-run", *QUICK)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(
        r"would try fp32, int8, int8-mixed \(only if int8 changes labels\), small; about \d+ min on this machine\n",
        result.stdout,
    )
    assert load(reviews).version == before
    assert [path.name for path in reviews.parent.iterdir()] == ["reviews"]


def test_figures_are_json_on_standard_output_and_a_table_on_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "measure_cold_start", lambda *_: ColdStart(seconds=0.25, memory_mb=42.0))
    write_tiny_bundle(tmp_path / "reviews", engine=True, rows=40)
    result = bertline(tmp_path / "reviews", "--json", "--goal", "size", "--max-accuracy-drop", 100, *QUICK)
    assert result.exit_code == 0, result.output
    said, engines = json.loads(result.stdout), load(tmp_path / "reviews").manifest.engines
    assert said["picked"] == engines[0].name
    assert set(said["engines"]) == {one.name for one in engines}
    assert said["engines"]["fp32"]["memory_mb"] == 42
    for words in ("texts/s", "p50 ms", "start s", "same label", "lost, test rows", f"{said['picked']} ←", "small: "):
        assert words in result.stderr
    assert "0.00 (0.0 to 0.0)" in result.stderr, "fp32 loses nothing"
    assert re.search(rf"Picked  {said['picked']} for size", result.stderr)
    assert f"speed: measured on {processor()}, " in result.stderr, "M3: figures say for which processor they are"
    assert "report/engines.html" in result.stderr


def test_a_bundle_without_held_out_rows_is_refused(bundle: Path) -> None:
    result = bertline(bundle, *QUICK)
    assert isinstance(result.exception, BundleError)
    assert "carries no held-out rows to measure on" in str(result.exception)


def test_a_setting_out_of_range_is_refused(reviews: Path) -> None:
    result = bertline(reviews, "--max-accuracy-drop", -1)
    assert isinstance(result.exception, SettingsError)
    assert "--max-accuracy-drop" in str(result.exception)
