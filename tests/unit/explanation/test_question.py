"""Questions about entities, answered by a double whose labels depend on single words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.explanation.explain import explain
from bertline.explanation.question import question
from bertline.explanation.settings import ExplainSettings
from bertline.inference import load_predictor
from bertline.tasks.tag.scheme import Scheme
from bertline.tasks.tag.spec import Spec
from bertline.testing.tiny import tiny_tokenizer, write_tiny_bundle
from bertline.text import Input, Reader, Reading, Truncation

SPEC = Spec(types=("person", "place"))


class Tagging:
    """A word with a capital after "in" is a place, and any other one a person, the more so the longer it is."""

    def __init__(self) -> None:
        self.spec, self.tokenizer = SPEC, tiny_tokenizer()
        self._reader = Reader(self.tokenizer, Truncation(64, "window"), True, False)
        self._labels = Scheme("BIO", SPEC.types).labels

    def pieces(self, texts: Any, output: str) -> tuple[list[Reading], list[list[Any]]]:
        assert output == "tags"
        readings = self._reader.read(texts)
        return readings, [self._rows(reading) for reading in readings]

    def _rows(self, reading: Reading) -> list[Any]:
        text, rows = str(reading.input), []
        for piece in reading.pieces:
            logits = np.zeros((len(piece.ids), len(self._labels)))
            logits[:, 0] = 1.0
            for row, (start, end) in zip(logits, piece.offsets or (), strict=True):
                if text[start:end][:1].isupper():
                    kind = "place" if "in" in text[:start].split() else "person"
                    row[self._labels.index(f"B-{kind}")] = 4.0
                if text[start:end] == "[MASK]":
                    row[self._labels.index("B-person")] = 1.0
            rows.append(logits)
        return rows


def shares(one: Input, **more: Any) -> tuple[str, tuple[int, int] | None, dict[str, float]]:
    name, span = more.pop("name", None), more.pop("span", None)
    found = explain(Tagging(), one, ExplainSettings(**more), name, span)
    assert found.base + sum(part.share for part in found.words) == pytest.approx(found.value, abs=1e-9)
    return found.name, found.span, {part.word.text: part.share for part in found.words}


def test_why_a_span_has_its_type() -> None:
    name, span, found = shares("a b in X so")
    assert (name, span) == ("place", (7, 8))
    assert found["in"] > 1
    assert found["X"] > 0.3
    assert max(abs(found[word]) for word in ("a", "b", "so")) < 0.1
    _, _, found = shares("a b in X so", method="shapley")
    assert found["a"] == found["b"] == found["so"] == pytest.approx(0, abs=1e-9)


def test_why_it_has_no_other_type() -> None:
    name, _, found = shares("a in X", name="person", span=(5, 6))
    assert name == "person"
    assert found["in"] < -1


def test_the_entity_of_a_type_or_a_place_is_found() -> None:
    assert shares("X is in Y")[:2] == ("person", (0, 1))
    assert shares("X is in Y", name="place")[:2] == ("place", (8, 9))
    assert shares("X is in Y", span=(8, 9))[:2] == ("place", (8, 9))


def test_questions_about_spans_without_an_answer() -> None:
    model = Tagging()
    with pytest.raises(UsageError, match="the model finds no entity in the text: give the characters and the type to"):
        question(model, "a b")
    with pytest.raises(UsageError, match="the model finds no place in the text: give the characters and the type to"):
        question(model, "X a", "place")
    with pytest.raises(UsageError, match="no entity at characters 2 to 3: say which type to explain there, one of per"):
        question(model, "X a", None, (2, 3))
    with pytest.raises(UsageError, match="characters 9 to 12 have no word that the model reads: give a"):
        question(model, "X a", "place", (9, 12))
    with pytest.raises(UsageError, match="the model has no label 'B-place': choose one of person, place"):
        question(model, "X a", "B-place")


@pytest.mark.parametrize("removal", ["delete", "mask"])
@pytest.mark.parametrize("label_all", [False, True])
def test_an_engine_explains_its_own_entities(tmp_path: Path, removal: str, label_all: bool) -> None:
    spec = {"task": "tag", "types": ["person", "place"], "label_all": label_all, "scheme": "BIOES"}
    write_tiny_bundle(tmp_path / "b", engine=True, task=spec, truncation="window", pooling="none")
    predictor = load_predictor(tmp_path / "b")
    text = "It is an arena in London, didn't I say so?"
    settings = ExplainSettings.model_validate({"removal": removal, "budget": 100})
    found = explain(predictor, text, settings, "place", (18, 24))
    assert sum(part.share for part in found.words) + found.base == pytest.approx(found.value, abs=1e-6)
    assert explain(predictor, text, settings, "place", (18, 24)) == found
    assert found.to_json()["span"] == {"start": 18, "end": 24}
    readings, arrays = predictor.pieces([text], "tags")
    pieces = predictor.spec.pieces(readings[0])
    first = pieces.tokens.offsets[:, 0].tolist().index(18)
    row = pieces.tokens.rows(arrays[0])[first].astype(float)
    shares_of = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
    assert found.shown == pytest.approx(shares_of[5:].sum(), rel=1e-4)
