"""The cheap checks of a command come first: what is wrong with the model is not said after a table was read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bertline.cli.main import main
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.training.conftest import write_csv


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command says of a bundle ``tiny`` and a table ``rows.csv`` when ``work`` must not begin."""
    monkeypatch.chdir(tmp_path)
    write_tiny_bundle(Path("tiny"), engine=True, rows=12)
    write_csv(Path("rows.csv"), [("is it", "positive"), ("on", "negative")])

    def begun(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the work began")

    def run(command: str, work: str) -> str:
        monkeypatch.setattr(work, begun)
        monkeypatch.setattr(sys, "argv", ["bertline", *command.split()])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().err

    return run


READ = {
    "evaluate tiny rows.csv": "bertline.evaluation.labelled_table.read_examples",
    "predict tiny --input rows.csv --output out.csv": "bertline.cli.predict_table.take_survey",
    "predict tiny it": "bertline.cli.predict_texts.predict_stream",
    "optimize tiny": "bertline.optimization.run.Bench",
    "distill tiny rows.csv --layers 1 --out small": "bertline.training.distillation.run.check_heads",
}


@pytest.mark.parametrize("command", READ)
def test_a_bundle_that_is_damaged(command: str, said: Any) -> None:
    """T18."""
    weights = Path("tiny/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "error: model.safetensors in tiny is truncated" in said(command, READ[command])


@pytest.mark.parametrize("command", [one for one in READ if one.startswith(("evaluate", "predict"))])
def test_an_engine_that_there_is_not(command: str, said: Any) -> None:
    """T18."""
    assert "has no engine none" in said(f"{command} --engine none", READ[command])


@pytest.mark.parametrize("more", ["--student none", "--unlabelled none.csv", "--unlabelled tiny/config.json"])
def test_the_other_inputs_of_optimize(more: str, said: Any) -> None:
    """T18."""
    assert more.split()[1] in said(f"optimize tiny {more}", "bertline.optimization.run.Bench")


def test_optimize_misses_the_graph_before_it_reads_texts(said: Any) -> None:
    """T18."""
    write_tiny_bundle(Path("tiny"), overwrite=True, rows=12)
    told = said("optimize tiny --unlabelled rows.csv", "bertline.optimization.run.read_transfer")
    assert "tiny has no model.onnx: train it again" in told
