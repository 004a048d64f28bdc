"""What every model of a kind should do, as data: minimum function, invariance, direction (Ribeiro et al. 2020).

A file has one JSON object per line, with a ``name`` that cases share:

- ``{"kind": "minimum", "name": …, "text": …, "label": …}``: the text gets the label.
- ``{"kind": "invariance", "name": …, "texts": […, …]}``: the texts get the same label.
- ``{"kind": "direction", "name": …, "text": …, "changed": …, "label": …, "moves": "up" or "down"}``: the change does
  not move the label's probability the other way by more than ``SLACK``.
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

SLACK = 0.05
LEVEL = 0.05
SHOWN = 5
STARTERS = ("sentiment",)  # in the folder behaviours


class _Case(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)


class Minimum(_Case):
    """A text and the label that it gets."""

    kind: Literal["minimum"]
    text: str
    label: str


class Invariance(_Case):
    """Texts that get the same label."""

    kind: Literal["invariance"]
    texts: Annotated[tuple[str, ...], Field(min_length=2)]


class Direction(_Case):
    """A change that must not move a label's probability the wrong way."""

    kind: Literal["direction"]
    text: str
    changed: str
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
    def texts(self) -> list[str]:
        """Every text, in order."""
        return [text for one in self.cases for text in _texts(one)]


def read_cases(source: str, labels: Sequence[str]) -> Cases:
    """The cases of a file, or of a starter set by its name.

    Args:
        source: path, or a name of ``STARTERS``.
        labels: of the model.

    Raises:
        DataError: the file cannot be read, a line is no case, or a label is not the model's.
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
        if isinstance(one, (Minimum, Direction)) and one.label not in labels:
            raise DataError(
                f"{source} case {number} has the label {one.label!r}, and the model's are {', '.join(labels)}: "
                "write cases with these"
            )
    return Cases(source, cases)


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
    return [_passes(one, [next(answers) for _ in _texts(one)]) for one in found.cases]


def _passes(one: Minimum | Invariance | Direction, answers: Sequence[Any]) -> bool:
    if isinstance(one, Minimum):
        return bool(answers[0].label == one.label)
    if isinstance(one, Invariance):
        return len({answer.label for answer in answers}) == 1
    before, after = (float(answer.probabilities[one.label]) for answer in answers)
    return after >= before - SLACK if one.moves == "up" else after <= before + SLACK


def _texts(one: Minimum | Invariance | Direction) -> tuple[str, ...]:
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
