"""Writes docs/drift.md from what ``benchmarks.drift`` has measured, in this run and in earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.parts import drift_labels
from benchmarks.parts.drift_cases import FOLDER, TESTS, Case, lines
from benchmarks.parts.drift_labels import BEFORE, DROPS, FIVE, NULL, REFERENCE
from benchmarks.parts.drift_labels import Found as Streams
from benchmarks.parts.drift_peers import LIBRARIES, found_in
from benchmarks.parts.machine import describe
from bertline.statistics.figures import percent
from bertline.statistics.intervals import wilson
from bertline.statistics.sequential import HORIZON

Found = list[dict[str, Any]]
NOT_YET = "Not measured in this form yet."


def share(count: int, of: int) -> str:
    """Percent with the 95 % interval."""
    one = wilson(count, of)
    return f"{100 * one.value:.1f} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def head() -> str:
    """What the page is about."""
    return (
        "# Drift\n\n"
        "What [`bertline drift`](guide/observe/drift.md) finds and how often it errs. `make bench ONLY=drift` measures "
        "again, or goes on with what is missing. Models: all-MiniLM-L6-v2, fine-tuned for two epochs on part of the "
        "rows (128 tokens); windows are drawn from the other rows, without repetition, and the seed of a draw is its "
        "number. R8 are news of eight topics, IMDB whole film reviews. All figures but times are percent of the draws, "
        f"with the 95 % interval. Machine: {describe()}.\n"
    )


def joined(parts: Mapping[str, Iterator[str]], before: str) -> str:
    """The page: sections by heading. One of which nothing is measured here stays as the page has it.

    Args:
        parts: the lines of each section; none if nothing is measured.
        before: the page as it is; empty if there is none.
    """
    there = dict(one.split("\n", 1) for one in before.split("\n## ")[1:])
    written = {title: "\n".join(lines).strip() for title, lines in parts.items()}
    texts = {title: text or there.get(title, NOT_YET).strip() for title, text in written.items()}
    return "\n".join([head(), *(f"## {title}\n\n{text}\n" for title, text in texts.items())])


def windows(cases: Sequence[Case]) -> Iterator[str]:
    """False alarms and power of our tests."""
    if not any((FOLDER / "ours" / case.file).exists() for case in cases):
        return
    head = "| windows | draws | answers | embeddings | classifier | properties | any, corrected | within labels "
    yield f"{head}| verdict: none / labels / texts |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    missing = []
    for case in cases:
        found = lines(FOLDER / "ours" / case.file)
        if not found:
            missing.append(case.name)
            continue
        cells = [share(sum(one["alone"][name] for one in found), len(found)) for name in TESTS]
        cells.append(share(sum(one["kind"] != "none" for one in found), len(found)))
        cells.append("" if case.is_null else share(sum(one["within"] for one in found), len(found)))
        kinds = [percent(_of(found, kind), digits=0) for kind in ("none", "labels", "texts")]
        yield f"| {case.name} | {len(found):,} | {' | '.join(cells)} | {' / '.join(kinds)} |"
    yield (
        "\nEach test alone at 5 %. Null: both windows from one source, reference/new. Within labels: the test that "
        "tells changed texts from changed shares.\n"
    )
    if missing:
        yield f"Not measured with the present tests yet: {'; '.join(missing)}.\n"


def _of(found: Found, kind: str) -> float:
    return sum(one["kind"] == kind for one in found) / len(found)


def peers(cases: Sequence[Case], versions: Callable[[str], str]) -> Iterator[str]:
    """What other libraries say of the same windows."""
    there = [(name, case, found) for name in LIBRARIES for case in cases if (found := lines(found_in(name, case)))]
    if not there:
        return
    yield "| library | windows | draws | test | finds a change | seconds of a core |"
    yield "| --- | --- | ---: | --- | ---: | ---: |"
    for name, case, found in there:
        for test in found[0]["found"]:
            seconds = float(np.median([one["seconds"][test] for one in found]))
            said = share(sum(one["found"][test] for one in found), len(found))
            yield f"| {LIBRARIES[name]} | {case.name} | {len(found):,} | {test} | {said} | {seconds:.2f} |"
    used = dict.fromkeys(name for name, _, _ in there)
    yield (
        f"\nEach with its defaults, on the first draws of the table above: {', '.join(map(versions, used))}. In rows "
        "called null, each change found is a false alarm.\n"
    )


def labels(draws: int, streams: Mapping[float, Streams]) -> Iterator[str]:
    """The sequential test, the one before it and river's detectors."""
    if not any(streams.values()):
        return
    yield (
        "| accuracy | test | false alarms per 10,000 labels | alarm before the drop | 5 points in 600 labels | median "
        "labels | 10 points in 300 | 40 points in 30 | 5 points from the first label, in 2,000 |\n"
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for accuracy, each in streams.items():
        for name, found in each.items():
            null, delay = found[NULL], FIVE.median(found[FIVE.name])
            five, *others = [share(one.found(found[one.name]), len(found[one.name])) for one in DROPS]
            cells = [
                share(drift_labels.false_alarms(null), len(null)),
                share(drift_labels.early(found[FIVE.name]), len(found[FIVE.name])),
                five,
                "—" if delay is None else f"{delay:,.0f}",
                *others,
            ]
            yield f"| {percent(accuracy, digits=0)} | {name} | {' | '.join(cells)} |"
        if each:
            bounds = [f"{100 * one.bound(accuracy):.1f}" for one in DROPS if one.before]
            known = f"1.0 | | {bounds[0]} | | {' | '.join(bounds[1:])} | |"
            yield f"| {percent(accuracy, digits=0)} | bound, accuracy known | {known}"
            learned = f"1.0 | | {100 * FIVE.learned_bound(accuracy):.1f} | | | | |"
            yield f"| {percent(accuracy, digits=0)} | bound, accuracy measured | {learned}"
    yield (
        f"\nSimulated labels: {draws:,} streams of {HORIZON:,} without a change, and {max(200, draws // 5):,} of each "
        f"kind in which accuracy drops after {BEFORE:,} labels, or before the first; found is within so many labels, "
        f"with no alarm before the drop. Ours and the cumulative sum that was used before it know {REFERENCE:,} test "
        "rows of each stream; with the accuracy known ours knows the true one. river's ADWIN and DDM have their "
        "defaults and learn what to expect from the stream. Of ADWIN only alarms that accuracy fell count.\n"
    )
    yield (
        "The bounds are what no test can exceed that raises a false alarm in 1 % of streams of 10,000 labels, equally "
        "likely at each of them: the power of the best test of so many labels (Neyman and Pearson). Measured: the "
        f"accuracy is known from {REFERENCE:,} test rows and the {BEFORE:,} labels before the drop, in normal "
        "approximation. So no test finds 90 % of drops of five points within 600 labels where accuracy is 90 % or "
        "less.\n"
    )
