"""What is watched of a tagger's answers: how many entities of each type a text has, and how sure the model is."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.tasks.feedback import Json
from bertline.tasks.tag.spec import Spec

ONE_UNIT = False  # entities and scores


def columns(spec: Spec, answers: Sequence[Json], read_tokens: Sequence[int]) -> dict[str, list[float]]:
    """A number per recorded answer, by name: entities of each type per 100 tokens, their mean score (1 without any)."""
    found = {name: [0.0] * len(answers) for name in spec.types}
    scores = []
    for place, (answer, read) in enumerate(zip(answers, read_tokens, strict=True)):
        entities = answer["entities"]
        for one in entities:
            found[one["label"]][place] += 100 / read
        scores.append(sum(one["score"] for one in entities) / len(entities) if entities else 1.0)
    return {**found, "score": scores}
