"""What every task keeps of an answer, and what it makes of feedback on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bertline import tasks
from bertline.data.entities import Entity
from bertline.data.examples import read_examples
from bertline.data.settings import LabelledTableSettings
from bertline.data.table import open_writer
from bertline.data.targets import to_json
from bertline.tasks.classify.answer import Number, Prediction
from bertline.tasks.embed.answer import Answer as Embedding
from bertline.tasks.feedback import FeedbackFault
from bertline.tasks.fill.answer import Answer as Filled
from bertline.tasks.fill.answer import Candidate, Mask
from bertline.tasks.rank.answer import Score
from bertline.tasks.tag.answer import Answer as Tagged
from bertline.tasks.tag.answer import ScoredEntity
from tests.contracts.test_tasks import FOLDERS

TEXT = "Ann lives in York"


@dataclass(frozen=True)
class Judged:
    """An answer, with correct answers that it agrees with and does not, and one that is none."""

    task: str
    entries: dict[str, Any]
    answer: Any
    right: Any
    wrong: Any
    fault: tuple[Any, str]
    texts: tuple[str, ...] = (TEXT,)
    confidences: tuple[float, ...] = ()
    judged: bool = True
    trains: bool = True


ONE = {"labels": ["bad", "good"]}
SHARES = {"bad": 0.25, "good": 0.75}
ANN = {"start": 0, "end": 3, "label": "person"}
FILMS = Mask(13, 17, (Candidate(7, "York", 0.6), Candidate(8, "Rome", 0.1)))
NO_LABEL = "is not a label of the model: give one of bad, good"
CASES = [
    Judged("classify", ONE, Prediction("good", SHARES, 5, 0), "good", "bad", ("fine", NO_LABEL),
           confidences=(0.75,)),
    Judged("classify", {**ONE, "reads": "pair"}, Prediction("good", SHARES, 5, 0), "good", "bad", (3, NO_LABEL),
           texts=(TEXT, "so he is a Yorkist"), confidences=(0.75,)),
    Judged("classify", {**ONE, "problem": "several"}, Prediction("good", SHARES, 5, 0, ("good",)),
           ["good"], ["good", "bad"], ("good", "is not a list of labels: give the correct ones as JSON, such as "
            '["a", "b"], [] for none'), confidences=(0.75,)),
    Judged("classify", {"labels": ["stars"], "problem": "number"}, Number(3.5, 5, 0), 3.5, 1,
           ("many", "is not a number: give the correct number"), judged=False),
    Judged("tag", {"types": ["person"]}, Tagged((ScoredEntity(Entity(0, 3, "person"), "Ann", 0.9),), 5, 0),
           [{**ANN, "text": "Ann"}], [],
           ([{**ANN, "end": 99}], "has an entity outside the text (person 0–99 of 17 characters): give a list of "
            "objects with start, end and label"), confidences=(0.9,)),
    Judged("rank", {}, Score(0.8, 5, 0), True, 0, (-1, "is below 0: give the relevance of the text, 0 or higher"),
           texts=("where is Ann", TEXT)),
    Judged("embed", {}, Embedding((0.6, 0.8), 5, 0), "homes", "places",
           ("", "is not a name of up to 256 characters: give what texts like this one share"), judged=False),
    Judged("fill", {}, Filled(TEXT, (FILMS,), 5, 0, 0), ["york"], "Rome", (["a", "b"], "has 2 words for 1 [MASK]: give "
           "one for each"), confidences=(0.6,), trains=False),
]  # fmt: skip
IDS = [f"{one.task}-{place}" for place, one in enumerate(CASES)]


def test_every_task_has_a_case() -> None:
    assert {one.task for one in CASES} == {*FOLDERS}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_what_is_kept_of_an_answer_is_json_and_says_what_was_right(case: Judged) -> None:
    spec, part = tasks.read_spec({"task": case.task, **case.entries}), tasks.task(case.task).feedback
    kept = json.loads(json.dumps(part.recorded(spec, case.answer)))
    correct, other = (part.target(spec, one, kept, sum(map(len, case.texts))) for one in (case.right, case.wrong))
    assert json.loads(json.dumps(correct)) == correct
    assert part.target(spec, correct, kept, sum(map(len, case.texts))) == correct  # of its one spelling, itself
    assert (part.right(spec, kept, correct), part.right(spec, kept, other)) == (
        (True, False) if case.judged else (None, None)
    )
    assert part.as_tested(spec) is (case.judged and case.task in ("classify", "tag"))
    off = part.off(spec, kept, correct)
    assert off is None or 0 <= off < part.off(spec, kept, other)  # a number that is nearer is nearer
    margin = part.margin(spec, kept)
    assert margin is None or 0 <= margin <= 1
    assert part.confidences(spec, kept) == [*case.confidences]
    assert all(part.fields(spec, kept, correct).values())
    assert part.right(spec, kept, part.as_correct(spec, kept)) in ((True,) if case.judged else (None,))  # it is itself
    shares = part.probabilities(spec, kept)
    assert shares is None or sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("case", [one for one in CASES if one.task in ("classify", "tag") and one.judged])
def test_the_confidence_of_a_kept_answer_is_what_the_metrics_count(case: Judged) -> None:
    spec, part = tasks.read_spec({"task": case.task, **case.entries}), tasks.task(case.task).feedback
    counted = case.answer.chosen if spec.ranked else spec.counted([case.answer])
    assert part.confidences(spec, part.recorded(spec, case.answer)) == [share for _, share in counted]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_nothing_that_is_kept_of_an_answer_has_the_text(case: Judged) -> None:
    spec = tasks.read_spec({"task": case.task, **case.entries})
    kept = json.dumps(tasks.task(case.task).feedback.recorded(spec, case.answer))
    assert not [word for word in TEXT.split()[:3] if word in kept]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_what_cannot_be_a_correct_answer_is_said_with_a_remedy(case: Judged) -> None:
    spec, part = tasks.read_spec({"task": case.task, **case.entries}), tasks.task(case.task).feedback
    value, sentence = case.fault
    with pytest.raises(FeedbackFault) as caught:
        part.target(spec, value, part.recorded(spec, case.answer), len(TEXT))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_correct_answers_leave_as_a_row_that_training_reads(case: Judged, tmp_path: Path) -> None:
    spec, part = tasks.read_spec({"task": case.task, **case.entries}), tasks.task(case.task).feedback
    kept = part.recorded(spec, case.answer)
    values = [part.target(spec, one, kept, sum(map(len, case.texts))) for one in (case.right, case.wrong)]
    rows = [part.columns(spec, case.texts, kept, one) for one in values]
    if not case.trains:
        assert rows == [{"text": "Ann lives in york"}, {"text": "Ann lives in Rome"}]
        return
    for suffix in ("csv", "jsonl"):
        with open_writer(tmp_path / f"rows.{suffix}", columns=[*rows[0]]) as writer:
            for row in rows:
                writer.write(row)
        table = str(tmp_path / f"rows.{suffix}")
        dataset = read_examples(table, LabelledTableSettings(), kind=spec.kind, pairs=spec.pairs, trainable=False)
        assert [to_json(one) for one in dataset.targets] == values
        texts = [one.input if isinstance(one.input, tuple) else (one.input,) for one in dataset.examples]
        assert texts == [case.texts] * 2
