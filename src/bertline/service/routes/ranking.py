"""The core that every dialect with a ranking calls: a query and texts in, scores and their order out."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.monitoring.addresses import answering
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts
from bertline.serving.version import Version
from bertline.text import Policy

SIDES = ("query", "{}")  # the query has no place in the list


async def rank(
    serving: Serving,
    version: Version,
    query: str,
    texts: Sequence[str],
    *,
    deadline_s: float,
    field: str,
    policy: Policy | None = None,
    names: Sequence[str] | None = None,
) -> Answered:
    """The logit of each text for the query.

    Args:
        serving: the models.
        version: a ranker.
        query: what is looked for.
        texts: what is ranked.
        deadline_s: from ``deadline_s``.
        field: what the dialect calls the texts, for messages.
        policy: which tokens of long texts are read; None is the bundle's.
        names: what the dialect calls each of them; by default its place in ``field``.

    Raises:
        Problem: the model is no ranker, or as ``Serving.compute``.
    """
    if version.spec.task != "rank":
        *others, last = answering(version.spec.output)
        raise Problem(
            Code.OTHER_TASK,
            f"{version.name} is a model for the task {version.spec.task} and ranks no texts: "
            f"use {', '.join(others)} or {last}.",
        )
    check_texts(texts, serving.settings, field, None if names is None else names.__getitem__)
    return await serving.compute(
        version,
        [(query, text) for text in texts],
        "logits",
        deadline_s=deadline_s,
        policy=policy,
        field=field,
        names=names,
        sides=SIDES,
    )


def order(scores: Sequence[float]) -> list[int]:
    """The places of the texts, the highest score first; equal ones as they were sent.

    >>> order([0.1, 0.9, 0.1])
    [1, 0, 2]
    """
    return sorted(range(len(scores)), key=lambda place: -scores[place])
