from __future__ import annotations

from bertline.data.entities import Entity
from bertline.tasks.tag.answer import Answer, ScoredEntity
from bertline.tasks.tag.feedback import recorded
from bertline.tasks.tag.spec import Spec
from bertline.tasks.tag.watched import columns


def test_entities_per_token_and_their_score() -> None:
    place, person = (ScoredEntity(Entity(0, 4, name), "text", score) for name, score in (("LOC", 0.9), ("PER", 0.7)))
    spec, answers = Spec(types=("LOC", "PER")), [Answer((place, person, place), 20, 0), Answer((), 10, 0)]
    found = columns(spec, [recorded(spec, one) for one in answers], [one.read_tokens for one in answers])
    assert found["LOC"] == [10.0, 0.0]
    assert found["PER"] == [5.0, 0.0]
    assert found["score"] == [(0.9 + 0.7 + 0.9) / 3, 1.0]
