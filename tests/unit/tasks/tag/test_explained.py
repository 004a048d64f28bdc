from __future__ import annotations

import numpy as np
import pytest

from bertline.data.entities import Entity
from bertline.errors import UsageError
from bertline.tasks.tag import explained
from bertline.tasks.tag.answer import Answer, ScoredEntity
from bertline.tasks.tag.spec import Spec
from bertline.testing.tiny import tiny_tokenizer
from bertline.text import Reader, Truncation

SPEC = Spec(types=("person", "place"))
ANSWER = Answer(
    (ScoredEntity(Entity(0, 3, "person"), "Ann", 0.9), ScoredEntity(Entity(7, 12, "place"), "Paris", 0.8)), 6, 0
)


def test_the_first_entity_that_fits_is_explained() -> None:
    assert explained.names(SPEC, ANSWER) == ("person", "place")
    assert explained.chosen(SPEC, ANSWER, None, None) == ("person", (0, 3))
    assert explained.chosen(SPEC, ANSWER, "place", None) == ("place", (7, 12))
    assert explained.chosen(SPEC, ANSWER, None, (8, 9)) == ("place", (7, 12))
    assert explained.chosen(SPEC, ANSWER, "person", (8, 9)) == ("person", (8, 9))
    with pytest.raises(UsageError, match="no entity at characters 3 to 7"):
        explained.chosen(SPEC, ANSWER, None, (3, 7))


@pytest.mark.parametrize(("logit", "score"), [(0.0, None), (2_000.0, 708.0), (-2_000.0, -1_416.0)])
def test_the_log_odds_of_two_words(logit: float, score: float | None) -> None:
    """Of five labels with equal logits, two are of a type: each word has 2/5, both have 4/25."""
    reader = Reader(tiny_tokenizer(), Truncation(64, "window"), True, False)
    readings = reader.read(["a an"])
    logits = np.zeros((len(readings[0].pieces[0].ids), 5))
    logits[:, 3:] = logit
    (found,) = explained.scores_at(SPEC, readings, [[logits]], [[(0, 1), (2, 4)]], "place")
    assert found == pytest.approx(np.log(4 / 21) if score is None else score, abs=1.0 if score else 1e-9)
    assert explained.shown(SPEC, np.log(4 / 21)) == pytest.approx(4 / 25)
    assert explained.unit(SPEC) == "log-odds"
