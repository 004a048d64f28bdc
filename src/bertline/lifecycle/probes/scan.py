"""A model asked about texts and about changed ones, and which changes broke its answers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bertline.errors import UsageError
from bertline.explanation.question import Answering
from bertline.lifecycle.gate.behaviour import moved_as_wanted
from bertline.lifecycle.probes.change import Draw, Moved, Probe, Texts, opinions
from bertline.lifecycle.probes.found import Outcome, Scan, Tried
from bertline.lifecycle.probes.settings import ProbeSettings
from bertline.lifecycle.probes.table import probes_for
from bertline.tasks import task
from bertline.text import Input, Reading
from bertline.text.reading import texts_of


@dataclass(frozen=True, slots=True)
class _Changed:
    """A changed text that is still to be answered."""

    probe: Probe
    place: int
    before: Texts
    texts: Texts
    moved: Moved | None


@dataclass(frozen=True, slots=True)
class _Answered:
    reading: Reading
    answer: Any


def _always() -> None:
    """There is no deadline."""


def scan(
    model: Answering, inputs: Sequence[Input], settings: ProbeSettings, check_time: Callable[[], None] = _always
) -> Scan:
    """Probe a model with texts.

    Each probe changes each text once, if there is something to change; equal texts are asked once.

    Args:
        model: answers.
        inputs: texts, or pairs.
        settings: which probes, how many texts, the budget and the seed.
        check_time: called before each change of a text, which takes long for a long one; ends the scan if it raises.

    Raises:
        UsageError: the model cannot be probed, a probe is unknown, the model reads nothing of any text, or the texts
            and their changes are more than the budget; nothing was answered then.
        BundleError: the model gives a number that is not finite.
    """
    probes = probes_for(model.spec, settings.probes)
    places = _chosen(model, inputs, settings)
    changed: list[_Changed] = []
    others: set[Texts] = set()
    for probe, place in itertools.product(probes, places):
        _check_budget(len(places) + len(others), settings)
        check_time()
        for one in _change(model, probe, place, inputs, settings):
            changed.append(one)
            others.add(one.texts)
    answers = len(places) + len(others)
    _check_budget(answers, settings)
    answered = dict(zip(places, _answers(model, [inputs[place] for place in places]), strict=True))
    tried = _tried(model, answered, changed)
    outcomes = tuple(Outcome(probe, tuple(one for other, one in tried if other is probe)) for probe in probes)
    return Scan(outcomes, len(places), len(inputs) - len(places), answers, settings.seed)


def _check_budget(answers: int, settings: ProbeSettings) -> None:
    """Refuse as soon as it is known that the budget is too small: no more texts are changed then."""
    if settings.budget is not None and answers > settings.budget:
        raise UsageError(
            f"this scan needs more than {settings.budget:,} answers, its budget: give fewer texts or probes, or raise "
            "the budget"
        )


def _chosen(model: Answering, inputs: Sequence[Input], settings: ProbeSettings) -> list[int]:
    """The places of the texts that are probed: legible ones, at most as many as the settings say."""
    legible = [place for place, one in enumerate(inputs) if all(model.tokenizer.reads(text) for text in texts_of(one))]
    if not legible:
        raise UsageError("there is no text that the model reads: give at least one with letters or digits")
    if len(legible) <= settings.rows:
        return legible
    return sorted(random.Random(settings.seed).sample(legible, settings.rows))


def _change(
    model: Answering, probe: Probe, place: int, inputs: Sequence[Input], settings: ProbeSettings
) -> list[_Changed]:
    texts = texts_of(inputs[place])
    seeded = random.Random("\0".join((str(settings.seed), probe.name, *texts)))
    found = probe.changed(texts, model.spec, Draw(seeded, lambda word: _knows(model, word)))
    if found is None or found == texts:
        return []
    moved = found if isinstance(found, Moved) else None
    return [_Changed(probe, place, texts, found.texts if isinstance(found, Moved) else found, moved)]


def _knows(model: Answering, word: str) -> bool:
    ids = model.tokenizer.encode_whole([word])[0].ids
    return len(ids) == 1 and ids[0] != model.tokenizer.unknown_id


def _answers(model: Answering, inputs: Sequence[Input]) -> list[_Answered]:
    readings, arrays = model.pieces(inputs, model.spec.output)
    answers = task(model.spec.task).answer.answers(model.spec, arrays, readings)
    return [_Answered(*one) for one in zip(readings, answers, strict=True)]


def _tried(model: Answering, answered: dict[int, _Answered], changed: Sequence[_Changed]) -> list[tuple[Probe, Tried]]:
    """Every changed text with its answer."""
    inputs: dict[Texts, Input] = {one.texts: one.texts[0] if len(one.texts) == 1 else one.texts for one in changed}
    answers = dict(zip(inputs, _answers(model, [*inputs.values()]), strict=True)) if inputs else {}
    return [(one.probe, _judged(model, answered[one.place], answers[one.texts], one)) for one in changed]


def _judged(model: Answering, before: _Answered, after: _Answered, one: _Changed) -> Tried:
    spec, part = model.spec, task(model.spec.task).probed
    label = None if one.moved is None else opinions(spec)[one.moved.opinion]
    answers = (before.answer, after.answer)
    if one.moved is None or label is None:
        broke, said = not part.same(spec, *answers), [part.said(spec, answer) for answer in answers]
    else:
        broke = not moved_as_wanted(*answers, label, one.moved.moves)
        said = [(label, float(answer.probabilities[label])) for answer in answers]
    return Tried(
        place=one.place,
        before=one.before,
        after=one.texts,
        said=(said[0], said[1]),
        label=label,
        moves=None if one.moved is None else one.moved.moves,
        moved=float(part.moved(spec, *answers)),
        broke=broke,
        alike=_ids(before.reading) == _ids(after.reading),
    )


def _ids(reading: Reading) -> list[list[int]]:
    return [[*piece.ids] for piece in reading.pieces]
