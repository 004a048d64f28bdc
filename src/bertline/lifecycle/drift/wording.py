"""What a comparison found, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bertline.lifecycle.drift.found import Change, Drift, Test
from bertline.lifecycle.drift.properties import CUT, LANGUAGE, SCRIPT, UNKNOWN, UNSEEN
from bertline.statistics.figures import percent
from bertline.statistics.shift.permutation import DRAWS

SHARES = (CUT, LANGUAGE, SCRIPT, UNKNOWN, UNSEEN)  # properties between 0 and 1
BLIND = "No method without labels can see texts that look as before and now mean something else: label some."


def headline(drift: Drift) -> str:
    """The verdict in one sentence.

    >>> headline(Drift(500, 100, 0.05, (Test("embeddings", 0.4, 0.8),), None, None, ()))
    'No drift was found.'
    """
    if drift.kind == "none":
        return "No drift was found."
    if drift.kind == "labels":
        return "The shares of the labels changed; the texts of each label did not, as far as these rows show."
    return "The texts changed."


def meaning(drift: Drift) -> str:
    """What to do about it."""
    if drift.kind == "none":
        return (
            f"{drift.new_rows:,} texts differ from {drift.reference_rows:,} reference texts by no more than chance. "
            "With few rows, a change that few texts share can stay unseen."
        )
    if drift.kind == "labels":
        return (
            "The accuracy for each label should be as before; the overall accuracy moves with the shares. Find out "
            "whether other people send texts now."
        )
    read = "Read the most foreign ones, label some" if drift.foreign else "Label some of them"
    return f"The model was not measured on texts like these. {read}, and evaluate again."


def p_words(p: float) -> str:
    """A p-value; no permutation test can show less than one in its number of draws.

    >>> p_words(0.002), p_words(0.0312), p_words(1.0)
    ('≤ 0.002', '0.031', '1')
    """
    return f"≤ {1 / (DRAWS + 1):g}" if p <= 1 / (DRAWS + 1) else f"{round(p, 3):g}"


def test_words(test: Test) -> str:
    """What a test compares, in a few words."""
    return {
        "answers": "the distribution of the model's answers; by how much: their mean",
        "embeddings": "what the texts are about (maximum mean discrepancy of embeddings)",
        "classifier": "whether a classifier can tell new texts from reference texts",
        "properties": "how the model reads the texts: length, unknown tokens, script, language",
    }[test.name]


def size_words(test: Test, level: float) -> str:
    """How large the change is."""
    if test.size is not None:
        return f"a new text scores above a reference text {percent(test.size)} of the time ({percent(0.5)} is chance)"
    changes = [one for one in test.changes if one.p <= level][:3] or list(test.changes[:1])
    return "; ".join(change_words(one, answers=test.name == "answers") for one in changes)


def change_words(change: Change, *, answers: bool) -> str:
    """One number before and after.

    >>> change_words(Change("positive", 0.5, 0.61, 0.2, 0.01), answers=True).split()
    ['positive:', '50.0', '%', '→', '61.0', '%']
    >>> change_words(Change("tokens", 20.25, 31.0, 0.4, 0.01), answers=False)
    'tokens: 20.2 → 31'
    """
    return (
        f"{change.name}: {value_words(change, change.before, answers)} → {value_words(change, change.after, answers)}"
    )


def value_words(change: Change, value: float, answers: bool) -> str:
    """A mean, as a percentage where it is a share."""
    return percent(value) if _is_share(change, answers) else f"{value:.3g}"


def scale_words(change: Change, answers: bool) -> Callable[[float], str]:
    """How the values on a scale are written."""
    return (lambda value: percent(value, digits=0)) if _is_share(change, answers) else (lambda value: f"{value:g}")


def _is_share(change: Change, answers: bool) -> bool:
    means = change.before, change.after
    return change.name in SHARES or (answers and 0 <= min(means) <= max(means) <= 1)


def labelled_words(drift: Drift) -> Iterator[str]:
    """What true labels say."""
    found = drift.labelled
    if found is None:
        return
    yield f"Accuracy on {found.labels:,} labels: {percent(found.accuracy)}; {percent(found.baseline)} was expected."
    if found.alarm is None or found.since is None or found.after is None:
        yield "No drop of accuracy was found."
        return
    expected = "" if found.lasts else " That is no less than was expected: it had been higher, or has come back since."
    yield (
        f"Accuracy dropped: since about label {found.since + 1:,} it is {percent(found.after)}, which could be told "
        f"after {found.alarm:,} labels.{expected}"
    )


def accuracy_words(drift: Drift) -> Iterator[str]:
    """The estimated accuracy, and what it cannot see."""
    if drift.accuracy is None:
        return
    estimate = drift.accuracy.estimate
    yield (
        f"Estimated accuracy without labels: {percent(estimate.value)} ({percent(estimate.low)} to "
        f"{percent(estimate.high)}, nine times in ten); {percent(drift.accuracy.reference)} on the reference."
    )
    yield BLIND
