"""Several runs are averaged into one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from bertline.encoder.checkpoint import load_classifier
from bertline.tasks.history import EpochRecord
from bertline.training.averaging import fit_averaged
from bertline.training.run import train
from tests.unit.training.test_run import Told, settings


class Course:
    """Runs that end in known weights; the loss of a weight is its distance from ``ideal``."""

    def __init__(self, ideal: float, *ends: float) -> None:
        self.model, self.ideal, self.ends, self.starts = nn.Linear(1, 1, bias=False), ideal, ends, list[float]()
        nn.init.constant_(self.model.weight, 0.5)

    def fit(self, number: int) -> tuple[EpochRecord, ...]:
        self.starts.append(float(self.model.weight.detach()))
        nn.init.constant_(self.model.weight, self.ends[number])
        loss, figures = self.validate()
        records = [EpochRecord(1, 1, 1.0, 1, 9.0, 9.0, {"accuracy": 0.0}, best=True)]
        return (*records, EpochRecord(2, 1, 1.0, 1, loss, loss, figures, best=True))

    def validate(self) -> tuple[float, Mapping[str, float]]:
        loss = abs(float(self.model.weight.detach()) - self.ideal)
        return loss, {"accuracy": 1 - loss / 100}

    @staticmethod
    def is_best(history: Sequence[EpochRecord]) -> bool:
        *before, last = [record.validation_loss for record in history]
        return not before or last < min(before)


def test_the_network_has_the_average_of_weights_of_runs_that_start_alike() -> None:
    course = Course(5.5, 1.0, 4.0, 10.0)
    averaged = fit_averaged(course.model, 3, course.fit, course.validate, course.is_best)
    assert course.starts == [0.5, 0.5, 0.5]
    assert float(course.model.weight.detach()) == 5.0
    assert averaged.history[-1].validation_loss == 1.5, "the epochs are those of the best run"
    assert averaged.facts[0][1] == (
        "the average of 3 runs; accuracy on validation rows 95.5\u202f%, 98.5\u202f%, 95.5\u202f%, of the average "
        "99.5\u202f%; the curves are of the best run"
    )


def test_one_better_run_is_no_reason_to_drop_the_average() -> None:
    course = Course(10.0, 1.0, 4.0, 10.0)
    fit_averaged(course.model, 3, course.fit, course.validate, course.is_best)
    assert float(course.model.weight.detach()) == 5.0


def test_where_most_runs_are_better_than_the_average_the_best_is_kept() -> None:
    course = Course(10.0, 10.0, 9.0, -50.0)
    averaged = fit_averaged(course.model, 3, course.fit, course.validate, course.is_best)
    assert float(course.model.weight.detach()) == 10.0
    assert averaged.history[-1].validation_loss == 0.0
    assert averaged.facts[0][1].startswith("the best of 3 runs")


def test_one_run_is_left_as_it_is() -> None:
    course = Course(0.0, 1.0)
    averaged = fit_averaged(course.model, 1, course.fit, course.validate, course.is_best)
    assert (float(course.model.weight.detach()), averaged.facts) == (1.0, ())


class Broken(Told):
    """Ends the process, as far as the run can tell, when the third run starts."""

    def note(self, text: str) -> None:
        super().note(text)
        if text == "Run 3 of 4":
            raise KeyboardInterrupt


def test_of_interrupted_runs_only_the_missing_ones_are_trained(model: Path, table: Path, tmp_path: Path) -> None:
    weights, told, broken = [], Told(), Broken()
    wanted = settings(model, quality="best", epochs=1)
    for name in ("whole", "resumed"):
        out = tmp_path / name
        if name == "resumed":
            with pytest.raises(KeyboardInterrupt):
                train(str(table), out, wanted, broken)
        trained = train(str(table), out, wanted, told, resume=True)
        assert not out.with_name(f".{name}.training").exists()
        weights.append(load_classifier(out).state_dict())
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert told.plan is not None
    assert told.plan.runs == 4
    page = (trained.bundle / "report" / "report.html").read_text()
    assert [note.split(":")[0] for note in told.notes].count("Weights") == 2
    assert "the average of 4 runs" in page or "the best of 4 runs" in page
