"""The core that every dialect with candidate labels calls: texts and labels in, one answer per text out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertline.errors import UsageError
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.serving.texts import check_texts, place_of
from bertline.serving.version import Version
from bertline.tasks.classify.answer import Prediction
from bertline.tasks.zero_shot import Candidates, Entailment, refusal

Fields = tuple[str, str]  # what a dialect calls the labels and the template


def can_choose(version: Version) -> bool:
    """Whether a model can choose among labels that it was not trained on."""
    return Entailment.of(version.spec) is not None or version.spec.output == "embedding"


def candidates_of(
    labels: str | Sequence[str], template: str | None, several: bool, fields: Fields, default: str | None = None
) -> Candidates:
    """The labels of a request.

    Raises:
        Problem: as ``Candidates.of``.
    """
    try:
        return Candidates.of(labels, default if template is None else template, several, fields)
    except UsageError as error:
        message = f"{error}."
        raise Problem(Code.OUT_OF_RANGE, message, message.partition(" ")[0]) from None


async def choose(
    serving: Serving,
    version: Version,
    texts: Sequence[str],
    candidates: Candidates,
    *,
    deadline_s: float,
    field: str,
    labels: str,
) -> tuple[list[Prediction], Answered]:
    """The answer to each text, and what was computed: of a model of entailment the pairs, else all embeddings.

    Args:
        serving: the models.
        version: of a model that ``can_choose``.
        texts: not yet checked.
        candidates: the labels.
        deadline_s: from ``deadline_s``.
        field: what the dialect calls the texts, for messages.
        labels: what it calls the labels.

    Raises:
        Problem: as ``Serving.compute``, or the model can do it with no labels, or not with these.
    """
    names = [place_of(field, place, len(texts)) for place in range(len(texts))]
    outputs = Entailment.of(version.spec)
    try:
        if not can_choose(version):
            raise refusal(version.name, version.spec)
        if outputs is None:
            candidates.check_compared()
    except UsageError as error:
        raise Problem(Code.OTHER_TASK, f"{error}.") from None
    check_texts(texts, serving.settings, field, names.__getitem__)
    if outputs is not None:
        width = len(candidates.labels)
        answered = await serving.compute(
            version,
            candidates.pairs(texts),
            "logits",
            deadline_s=deadline_s,
            field=field,
            names=[name for name in names for _ in range(width)],
            sides=("{}", labels),
        )
        return candidates.entailed(outputs, np.stack(answered.rows), answered.readings), answered
    answered = await serving.compute(
        version,
        [*texts, *candidates.hypotheses],
        "embedding",
        deadline_s=deadline_s,
        field=field,
        names=[*names, *(f"{labels}[{place}]" for place in range(len(candidates.labels)))],
    )
    rows, own = np.stack(answered.rows), len(texts)
    return candidates.nearest(rows[:own], rows[own:], answered.readings[:own]), answered
