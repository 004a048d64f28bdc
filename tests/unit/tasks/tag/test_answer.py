"""Logits to entities: what is found, its characters and its confidence, alike in any batch and over any window."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from bertline.tasks.tag.answer import answers
from bertline.tasks.tag.spec import Spec
from bertline.text.reading import Reading
from bertline.text.truncation import Truncation
from tests.unit.tasks.tag.texts import read

SPEC = Spec(types=("person", "place"))
LONG = "Nothing here. " * 9 + "Then Ada Lovelace Byron King Noel Milbanke saw Paris " + "and went on. " * 9
CAPITAL = re.compile(r"\w+")


def seeing(spec: Spec, text: str, reading: Reading) -> list[np.ndarray[Any, Any]]:
    """Logits of a network that looks at one token: Ada begins a person, other capitals go on with one."""
    out = []
    for piece in reading.pieces:
        rows = np.zeros((len(piece.ids), len(spec.labels)), dtype=np.float32)
        rows[:, 0] = 2.0
        for row, (start, end) in zip(rows, piece.offsets or [], strict=True):
            word = text[start:end]
            if word == "Paris":
                row[spec.labels.index("B-place")] = 6.0
            elif word[:1].isupper() and word not in ("Nothing", "Then"):
                row[spec.labels.index("B-person" if word == "Ada" else "I-person")] = 5.0
        out.append(rows)
    return out


def entities(spec: Spec, text: str, reading: Reading) -> list[tuple[str, str]]:
    [answer] = answers(spec, [seeing(spec, text, reading)], [reading])
    return [(one.entity.label, one.text) for one in answer.entities]


def test_the_answer_of_a_text() -> None:
    text = "Then Ada Lo\u0301velace\r\nsaw Paris \U0001f5fc!"
    reading = read(text)
    [answer] = answers(SPEC, [seeing(SPEC, text, reading)], [reading])
    found = answer.to_json()["entities"]
    assert answer.columns() == {"predicted_entities": found}
    assert (answer.read_tokens, answer.cut_tokens) == (len(reading.piece.ids), 0)
    person, place = found
    assert (person["label"], person["text"], person["start"], person["end"]) == ("person", "Ada Lo\u0301velace", 5, 18)
    assert (place["label"], place["text"]) == ("place", "Paris")
    assert text[place["start"] : place["end"]] == "Paris"
    e = np.exp
    # The probability of B-person and I-person together, of a word's logits (2, 5, 0, 0, 0).
    assert person["score"] == pytest.approx((e(5) + 1) / (e(5) + e(2) + 3), abs=1e-6)
    assert place["score"] == pytest.approx((e(6) + 1) / (e(6) + e(2) + 3), abs=1e-6)


def test_the_temperature_divides_the_logits_of_the_score_alone() -> None:
    text, mild = "saw Paris", SPEC.model_copy(update={"temperature": 2.0})
    reading = read(text)
    [answer] = answers(mild, [seeing(SPEC, text, reading)], [reading])
    [one] = answer.entities
    e = np.exp
    assert (one.text, one.score) == ("Paris", pytest.approx((e(3) + 1) / (e(3) + e(1) + 3), abs=1e-6))


@pytest.mark.parametrize("max_tokens", range(6, 40))
def test_an_entity_across_the_edge_of_a_window_is_one_entity(max_tokens: int) -> None:
    reading = read(LONG, Truncation(max_tokens, "window"))
    assert len(reading.pieces) > 1
    assert entities(SPEC, LONG, reading) == [("person", "Ada Lovelace Byron King Noel Milbanke"), ("place", "Paris")]


def test_no_entity_crosses_a_gap_between_tokens_that_were_read() -> None:
    text = "Ada King Byron Noel King Byron Noel"
    assert entities(SPEC, text, read(text)) == [("person", text)]
    found = entities(SPEC, text, read(text, Truncation(6, "head_tail")))
    assert found == [("person", "Ada"), ("person", "King Byron Noel")]


def test_a_batch_answers_as_its_texts_alone() -> None:
    texts = [LONG, "", "Ada", "nothing", "Paris Paris Ada Lovelace", "\u200b"]
    readings = [read(text, Truncation(20, "window")) for text in texts]
    rows = [seeing(SPEC, *each) for each in zip(texts, readings, strict=True)]
    together = answers(SPEC, rows, readings)
    alone = [answers(SPEC, [row], [one])[0] for row, one in zip(rows, readings, strict=True)]
    assert together == alone
    assert [len(one.entities) for one in together] == [2, 0, 1, 0, 3, 0]


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("label_all", [False, True])
def test_answers_of_random_logits_are_entities_of_whole_words(scheme: str, label_all: bool) -> None:
    spec = Spec.model_validate({"types": ["x", "y"], "scheme": scheme, "label_all": label_all})
    text = "Llanfairpwllgwyngyll, supercalifragilistic and antidisestablishmentarianism: e\u0301lan vital."
    reading, rng = read(text), np.random.default_rng(0)
    words = [(match.start(), match.end()) for match in re.finditer(r"[^\W_]+\u0301?\w*|[^\w\s]", text)]
    rows = [[rng.normal(size=(len(reading.piece.ids), len(spec.labels))).astype(np.float32)] for _ in range(50)]
    found = answers(spec, rows, [reading] * 50)
    assert sum(len(one.entities) for one in found) > 100
    for answer in found:
        ends = [0]
        for one in answer.entities:
            assert one.entity.start in {start for start, _ in words}
            assert one.entity.end in {end for _, end in words}
            assert one.entity.start >= ends[-1]
            assert 0 < one.score <= 1
            ends.append(one.entity.end)


@pytest.mark.parametrize("truncation", [Truncation(512), Truncation(12, "window")])
@pytest.mark.parametrize("label_all", [False, True])
def test_every_target_round_trips(truncation: Truncation, label_all: bool) -> None:
    """T1: a network whose largest logits are the targets gives the entities of the table."""
    spec, reading = SPEC.model_copy(update={"label_all": label_all}), read(LONG, truncation)
    [truth] = answers(spec, [seeing(SPEC, LONG, reading)], [reading])
    wanted = [one.entity for one in truth.entities]
    assert len(wanted) == 2
    targets = spec.arrays(tuple(wanted), reading)
    rows = [np.eye(len(spec.labels), dtype=np.float32)[np.maximum(one, 0)] for one in targets]
    [again] = answers(spec, [rows], [reading])
    assert [one.entity for one in again.entities] == wanted
