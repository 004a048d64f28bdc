"""A reference and a new window compared: four tests that err together at one stated rate, and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from bertline.lifecycle.drift.found import Change, Drift, Foreign, Test
from bertline.lifecycle.drift.known import Known
from bertline.lifecycle.drift.properties import most_common, relative_properties
from bertline.lifecycle.drift.window import LEAST_ROWS, Window
from bertline.statistics.shift.discriminant import Discriminant, auc
from bertline.statistics.shift.distribution import joint_statistics, ks_distance, ks_statistics, mean_statistics
from bertline.statistics.shift.kernel import mmd_statistics
from bertline.statistics.shift.permutation import DRAWS, Moved, holm, largest, p_value, relabellings
from bertline.text.reading import joined

LEVEL = 0.05
SHOWN = 10  # foreign texts
QUANTILES = 41  # of each number, for its picture
WEIGHTS = {"answers": 3.0}  # of the level; the other tests have 1 each. A changed answer matters most to users

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Array]


def compare(
    reference: Window,
    new: Window,
    labels: Sequence[str | None] = (),
    names: Sequence[str] = (),
    *,
    one_unit: bool = True,
    tested: int | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Drift:
    """Test whether the new texts come from where the reference came from.

    Every test is a permutation test, and Holm's correction keeps the chance of any false alarm at ``level``.

    Args:
        reference: what was observed of texts that the model was measured on.
        new: of new texts.
        labels: the true label of each reference text, of models with one label per text; otherwise none.
        names: the model's labels, in its order.
        one_unit: whether the answers' columns have one unit, as probabilities have.
        tested: number of reference texts, the first ones, that nothing about the model was chosen by; None is all.
        level: chance of a false alarm.
        seed: of the permutations.
    """
    before, after = _properties(reference, new)
    moved = relabellings(len(reference), len(new), seed=seed, draws=DRAWS)
    embedded, scores = _embeddings_tests(reference, new, moved, seed)
    tests = [
        *_columns_test("answers", reference.answers, new.answers, moved, joint="units" if one_unit else "spreads"),
        *embedded,
        *_columns_test("properties", before, after, moved),
    ]
    adjusted = holm([one.p for one in tests], [WEIGHTS.get(one.name, 1.0) for one in tests])
    tests = [one.adjust(p) for one, p in zip(tests, adjusted, strict=True)]
    known = Known.of(reference, new, labels, names) if labels else None
    return Drift(
        reference_rows=len(reference),
        new_rows=len(new),
        level=level,
        tests=tuple(tests),
        prior=None if known is None else known.prior_shift(before, after, seed),
        accuracy=None if known is None else known.accuracy(len(labels) if tested is None else tested, seed),
        foreign=_foreign(new, scores) if new.inputs else (),
    )


def _embeddings_tests(reference: Window, new: Window, moved: Moved, seed: int) -> tuple[list[Test], Array]:
    """The two tests of embeddings and the classifier's scores of the new texts; none where too few have embeddings."""
    sizes = len(reference.embeddings), len(new.embeddings)
    if min(sizes) < LEAST_ROWS:
        return [], np.empty(0)
    if sizes != (len(reference), len(new)):
        moved = relabellings(*sizes, seed=seed, draws=DRAWS)
    embeddings = np.concatenate([reference.embeddings, new.embeddings])
    discriminant = Discriminant.of(embeddings)
    scores = discriminant.scores(moved[0])
    tests = [
        Test("embeddings", p_value(mmd_statistics(embeddings, moved, seed=seed))),
        Test("classifier", p_value(discriminant.statistics(moved)), size=auc(scores, moved[0])),
    ]
    return tests, scores[sizes[0] :]


def _columns_test(
    name: str, before: Columns, after: Columns, moved: Moved, joint: Literal["units", "spreads"] | None = None
) -> list[Test]:
    """One test of several columns together, by their distributions and means; none if there is no column.

    Args:
        name: of the test.
        before: the reference.
        after: the new window.
        moved: relabellings.
        joint: look at all columns together, in their own units or in units of their spreads, which finds a change that
            many columns share; None looks for the column that changed most.
    """
    names = [one for one in before if np.ptp(np.concatenate([before[one], after[one]])) > 0]
    if not names:
        return []
    pooled = np.stack([np.concatenate([before[one], after[one]]) for one in names], axis=1)
    ks = ks_statistics(pooled, moved)
    p, each = largest(np.concatenate([ks, mean_statistics(pooled, moved)], axis=1))
    if joint:
        p, _ = largest(joint_statistics(pooled if joint == "units" else pooled / pooled.std(axis=0), moved, ks))
    changes = [
        Change(
            one,
            float(before[one].mean()),
            float(after[one].mean()),
            ks_distance(before[one], after[one]),
            float(min(each[k], each[k + len(names)])),
            (_quantiles(before[one]), _quantiles(after[one])),
        )
        for k, one in enumerate(names)
    ]
    return [Test(name, p, changes=tuple(sorted(changes, key=lambda one: (one.p, -one.distance))))]


def _quantiles(column: Array) -> tuple[float, ...]:
    return tuple(round(float(one), 6) for one in np.quantile(column, np.linspace(0, 1, QUANTILES)))


def _properties(reference: Window, new: Window) -> tuple[Columns, Columns]:
    """The properties that both windows have; with texts, those too that are relative to the reference."""
    if not (reference.inputs and new.inputs):
        names = [one for one in reference.properties if one in new.properties]
        return {one: reference.properties[one] for one in names}, {one: new.properties[one] for one in names}
    texts = [[joined(one) for one in window.inputs] for window in (reference, new)]
    most = most_common(texts[0])
    before, after = (
        {**window.properties, **relative_properties(own, most)}
        for window, own in zip((reference, new), texts, strict=True)
    )
    return before, after


def _foreign(new: Window, scores: Array) -> tuple[Foreign, ...]:
    """The new texts that the classifier is surest of to be new, the surest first."""
    order = np.argsort(-scores, kind="stable")[:SHOWN]
    return tuple(Foreign(new.places[i], joined(new.inputs[i]), float(scores[i])) for i in order)
