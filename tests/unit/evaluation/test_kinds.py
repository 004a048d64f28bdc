"""Every kind of evaluation has a whole page; an evaluation that the table does not know has one of its figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.evaluation.kinds import FIGURES_ALONE, KINDS, kind_of
from bertline.evaluation.report import write_report
from bertline.evaluation.wording import collapse, verdict
from bertline.statistics.intervals import Estimate
from bertline.tasks import task
from bertline.tasks.contract import score_key
from bertline.tasks.history import EpochRecord
from tests.contracts.test_tasks import MEASURED, arrays_of, read
from tests.unit.evaluation.test_report import EVIL, Page

SECTIONS = {
    "classify, one label": ("confusion", "calibration", "length", "slices", "mistakes"),
    "classify, several labels": ("labels", "calibration", "length", "slices", "mistakes"),
    "classify, a number": ("errors", "length", "slices", "mistakes"),
    "embed, labels": ("slices", "mistakes"),
    "embed, scores": ("slices", "mistakes"),
    "rank": ("slices", "mistakes"),
    "tag": ("types", "confusion", "length", "slices"),
}


def evaluation_of(name: str, arrays: Any = None) -> Any:
    spec, truth = MEASURED[name]
    readings = read(spec, truth)
    fields = [{EVIL: EVIL if i % 2 else ""} for i in range(len(truth))]
    arrays = arrays_of(spec, readings) if arrays is None else arrays
    return task(spec.task).measure.measure(spec, truth, arrays, readings, fields=fields)


def written(evaluation: Any, folder: Path) -> tuple[str, dict[str, Any]]:
    history = [EpochRecord(i, 9, 1.0, 99, 0.5, 0.4, {"f1": 0.5}) for i in (1, 2)]
    page = write_report(folder, evaluation, title=EVIL, history=history).read_text(encoding="utf-8")
    return page, json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_every_kind_is_here() -> None:
    assert {type(evaluation_of(name)) for name in SECTIONS} == {*KINDS}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_is_whole(name: str, tmp_path: Path) -> None:
    evaluation = evaluation_of(name)
    page, record = written(evaluation, tmp_path)
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert any(EVIL in one for one in parsed.said)
    for section in (*SECTIONS[name], "learning", "reading"):
        assert f'id="{section}"' in page
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b|&lt;svg|Undefined", page)
    assert record["metrics"] == evaluation.metrics()
    cards = dict(re.findall(r'<div><dt>(.*?)</dt>.*?<dd class="meaning">(.*?)</dd>', page, re.DOTALL))
    assert {} != cards.keys() <= {name for name, _ in evaluation.headline()}
    assert all(cards.values())
    score = next(one for one in kind_of(evaluation).compared if one in evaluation.metrics())
    assert score == score_key(evaluation.headline()[0][0])


@pytest.mark.parametrize("name", ["classify, one label", "classify, several labels", "tag"])
def test_labels_that_the_model_does_not_know_are_named(name: str, tmp_path: Path) -> None:
    evaluation = evaluation_of(name)
    note = kind_of(evaluation).unknown(evaluation, "reviews")
    assert note is not None
    assert "reviews" in note
    assert "odd 1" in note
    assert "odd" in written(evaluation, tmp_path)[0]


def alike(name: str) -> list[list[np.ndarray]]:
    """The arrays of a network that answers every text alike."""
    spec, truth = MEASURED[name]
    arrays = arrays_of(spec, read(spec, truth))
    return [[np.zeros_like(piece) + np.eye(piece.shape[-1])[0] for piece in own] for own in arrays]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("classify, one label", "all 6 rows got the label “bad”"),
        ("classify, several labels", "all 6 texts got the labels “bad”, “good”, so"),
        ("classify, a number", "all 6 texts got the number 1.000, so the model does not distinguish any texts"),
        ("embed, labels", "all texts of 6 rows have nearly the same embedding, so the model tells none apart"),
        ("rank", "all 6 texts got the score 0.731, so the model puts them in no order"),
        ("tag", "the model finds no entity in any of the 6 texts"),
    ],
)
def test_a_model_with_one_answer_for_every_text_is_reported(name: str, sentence: str, tmp_path: Path) -> None:
    evaluation = evaluation_of(name, alike(name))
    said = collapse(evaluation)
    assert said is not None
    assert Page(written(evaluation, tmp_path)[0]).open == []
    assert said.startswith(sentence)
    assert "Train it again, first with a lower learning rate." in verdict(evaluation, [])
    assert collapse(evaluation_of(name)) is None


class Sixth:
    """An evaluation that no table knows."""

    rows, seed = 12, 0

    def headline(self) -> tuple[tuple[str, Estimate], ...]:
        return (("recall at 10", Estimate(0.5, 0.4, 0.6)),)

    def metrics(self) -> dict[str, dict[str, float]]:
        return {"recall_at_10": Estimate(0.5, 0.4, 0.6).to_json(), "mean_rank": Estimate(4.25, 3.0, 5.0).to_json()}

    def to_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "metrics": self.metrics()}


@pytest.mark.parametrize("name", SECTIONS)
def test_one_text_has_a_page(name: str, tmp_path: Path) -> None:
    spec, truth = MEASURED[name]
    readings = read(spec, truth, 1)
    evaluation = task(spec.task).measure.measure(spec, truth[:1], arrays_of(spec, readings), readings)
    history = [EpochRecord(1, 9, 1.0, 99, 0.5, 0.4)]
    page = write_report(tmp_path, evaluation, title="one", history=history).read_text(encoding="utf-8")
    assert Page(page).open == []
    assert not re.search(r"\bnan\b|\binf\b", page)


def test_an_evaluation_of_no_kind_has_its_figures(tmp_path: Path) -> None:
    page, record = written(Sixth(), tmp_path)
    assert kind_of(Sixth()) is FIGURES_ALONE
    assert Page(page).open == []
    assert "Recall at 10 50.0\u202f% on 12 texts (95\u202f% interval 40.0–60.0)." in page
    assert "mean rank" in page
    assert "4.250" in page
    assert record["metrics"] == Sixth().metrics()
    assert collapse(Sixth()) is None
