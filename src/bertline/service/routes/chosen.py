"""The words that a request asks for, for every dialect of models that fill in words."""

from __future__ import annotations

from collections.abc import Sequence

from bertline.errors import UsageError
from bertline.serving.problems import Code, Problem
from bertline.tasks.contract import TaskSpec


def chosen(spec: TaskSpec, top_k: int | None, targets: Sequence[str] | None, at: str = "") -> TaskSpec:
    """The spec of a request; ``at`` is the place of both fields in the body, as in ``parameters.``.

    Raises:
        Problem: ``top_k`` is out of its range, or a target has no token.
    """
    try:
        return spec.choosing(top_k, targets)
    except UsageError as error:
        message = f"{at}{error}."
        raise Problem(Code.OUT_OF_RANGE, message, message.partition(" ")[0]) from None
