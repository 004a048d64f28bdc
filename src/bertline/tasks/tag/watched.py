"""What is watched of a tagger's answers: how many entities of each type a text has, and how sure the model is."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.tag.answer import Answer
from bertline.tasks.tag.spec import Spec

ONE_UNIT = False  # entities and scores


def columns(spec: Spec, answers: Sequence[Answer]) -> dict[str, list[float]]:
    """A number per answer, by name: entities of each type per 100 tokens, and their mean score (1 without any)."""
    found = {name: [0.0] * len(answers) for name in spec.types}
    scores = []
    for place, answer in enumerate(answers):
        for one in answer.entities:
            found[one.entity.label][place] += 100 / answer.read_tokens
        scores.append(sum(one.score for one in answer.entities) / len(answer.entities) if answer.entities else 1.0)
    return {**found, "score": scores}
