"""What every model of a kind should do, as data: minimum function, invariance, direction (Ribeiro et al. 2020).

A file has one JSON object per line, with a ``name`` that cases share:

- ``{"kind": "minimum", "name": …, "text": …, "label": …}``: the text gets the label.
- ``{"kind": "invariance", "name": …, "texts": […, …]}``: the texts get the same answer (``tasks.*.probed``).
- ``{"kind": "direction", "name": …, "text": …, "changed": …, "label": …, "moves": "up" or "down"}``: the change does
  not move the label's probability the other way by more than ``SLACK``.

For a model that reads pairs, or a query and a text, each text is a list of two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bertline.errors import DataError
from bertline.inference import TextClassifier
from bertline.lifecycle.gate.check import Check
from bertline.statistics.paired import mcnemar
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Input

SLACK = 0.05
LEVEL = 0.05
SHOWN = 5
STARTERS = ("sentiment",)  # in the folder behaviours


Text = str | tuple[str, str]


class _Case(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)


class Minimum(_Case):
    """A text and the label that it gets."""

    kind: Literal["minimum"]
    text: Text
    label: str


class Invariance(_Case):
    """Texts that get the same answer."""

    kind: Literal["invariance"]
    texts: Annotated[tuple[Text, ...], Field(min_length=2)]


class Direction(_Case):
    """A change that must not move a label's probability the wrong way."""

    kind: Literal["direction"]
    text: Text
    changed: Text
    label: str
    moves: Literal["up", "down"]


Case = Annotated[Minimum | Invariance | Direction, Field(discriminator="kind")]
_CASES: TypeAdapter[Any] = TypeAdapter(Case)


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of a file."""

    source: str
    cases: tuple[Minimum | Invariance | Direction, ...]

    @property
    def texts(self) -> list[Input]:
        """Every text, in order."""
        return [text for one in self.cases for text in _texts(one)]


def read_cases(source: str, spec: TaskSpec) -> Cases:
    """The cases of a file, or of a starter set by its name.

    Args:
        source: path, or a name of ``STARTERS``.
        spec: of the model.

    Raises:
        DataError: the file cannot be read, a line is no case, or a case is not for such a model.
    """
    if source in STARTERS:
        raw = (resources.files("bertline.lifecycle.gate") / "behaviours" / f"{source}.jsonl").read_text("utf-8")
    else:
        try:
            raw = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise DataError(
                f"the behaviours {source} cannot be read ({reason}): give a file of JSON lines, or {STARTERS[0]}"
            ) from None
    cases = tuple(_parsed(source, raw))
    if not cases:
        raise DataError(f"the behaviours {source} have no case: give at least one JSON object on a line")
    for number, one in enumerate(cases, 1):
        if (fault := _fault(one, spec)) is not None:
            raise DataError(f"{source} case {number} {fault}")
    return Cases(source, cases)


def _fault(one: Minimum | Invariance | Direction, spec: TaskSpec) -> str | None:
    """Why a case is not for a model."""
    if not task(spec.task).probes:
        return f"is for a classifier, a tagger or a ranker, and the model's task is {spec.task}: leave the file out"
    if any(isinstance(text, str) == spec.pairs for text in _texts(one)):
        read = (
            "reads two texts together: write each text as a list of both"
            if spec.pairs
            else ("reads single texts: write each text as a string")
        )
        return f"has {'a single text' if spec.pairs else 'a list of texts'}, and the model {read}"
    if isinstance(one, Invariance):
        return None
    labels = spec.names if spec.task == "classify" else ()
    if not labels:
        return f"has the label {one.label!r}, and the model gives no labels: write cases of the kind invariance"
    if one.label not in labels:
        return f"has the label {one.label!r}, and the model's are {', '.join(labels)}: write cases with these"
    return None


def _parsed(source: str, raw: str) -> Iterator[Minimum | Invariance | Direction]:
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield _CASES.validate_json(line)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, fault["loc"][1:]))
            raise DataError(
                f"{source} line {number} is no behaviour ({f'{place}: ' if place else ''}{fault['msg']}): write one of "
                "the kinds minimum, invariance and direction"
            ) from None


def behaves(found: Cases, challenger: TextClassifier, champion: TextClassifier | None) -> Check:
    """The challenger must not fail surely more cases than the champion, nor, without one, half of the cases."""
    own = passes(found, challenger)
    other = None if champion is None else passes(found, champion)
    failed = [one for one, right in zip(found.cases, own, strict=True) if not right]
    said = f"{sum(own)} of {len(own)} cases pass"
    figures: dict[str, Any] = {"cases": len(own), "challenger": sum(own), "by_name": _by_name(found, own)}
    figures["failed"] = [json.loads(one.model_dump_json()) for one in failed]
    decision = sum(own) * 2 >= len(own)
    if other is not None:
        only_own = sum(a and not b for a, b in zip(own, other, strict=True))
        only_other = sum(b and not a for a, b in zip(own, other, strict=True))
        worse = mcnemar(only_own, only_other) / 2 if only_other > only_own else 1.0
        said += f", the champion passes {sum(other)}"
        figures |= {"champion": sum(other), "p": worse}
        decision = worse > LEVEL
    if failed:
        names = ", ".join(dict.fromkeys(one.name for one in failed))
        said += f"; failed: {names}"
    return Check(f"behaviour · {found.source}", "yes" if decision else "no", said, figures)


def passes(found: Cases, predictor: TextClassifier) -> list[bool]:
    """Which cases a classifier passes."""
    answers = iter(predictor.predict(found.texts))
    return [_passes(one, predictor.spec, [next(answers) for _ in _texts(one)]) for one in found.cases]


def moved_as_wanted(before: Any, after: Any, label: str, moves: Literal["up", "down"]) -> bool:
    """Whether a label's probability did not go the other way by more than ``SLACK``."""
    one, other = (float(answer.probabilities[label]) for answer in (before, after))
    return other >= one - SLACK if moves == "up" else other <= one + SLACK


def _passes(one: Minimum | Invariance | Direction, spec: TaskSpec, answers: Sequence[Any]) -> bool:
    if isinstance(one, Minimum):
        return bool(answers[0].label == one.label)
    if isinstance(one, Invariance):
        return all(task(spec.task).probed.same(spec, answers[0], other) for other in answers[1:])
    return moved_as_wanted(answers[0], answers[1], one.label, one.moves)


def _texts(one: Minimum | Invariance | Direction) -> tuple[Text, ...]:
    if isinstance(one, Minimum):
        return (one.text,)
    return one.texts if isinstance(one, Invariance) else (one.text, one.changed)


def _by_name(found: Cases, own: Sequence[bool]) -> dict[str, list[int]]:
    """For each name, how many cases pass, and of how many."""
    counts: dict[str, list[int]] = {}
    for one, right in zip(found.cases, own, strict=True):
        count = counts.setdefault(one.name, [0, 0])
        count[0] += right
        count[1] += 1
    return counts
