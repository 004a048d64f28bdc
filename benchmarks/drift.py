"""How often `bertline drift` errs, what it finds, and what it costs, beside evidently, alibi-detect, NannyML and river.

    make bench ONLY=drift
    make bench ONLY=drift ARGS="--draws 200 --models r8 --parts false-alarms labels"

Parts: ``false-alarms`` and ``power`` compare windows of texts, ``accuracy`` estimates it without labels, ``labels`` is
the sequential test, ``cost`` takes the time. Each draw is kept in build/benchmarks/drift as it is made: a run that was
stopped goes on, and more draws are added to those that are there. Models are trained once. The peers run in
environments of their own, which the first run makes; ``--peer-draws 0`` leaves them out. Writes the sections of
docs/drift.md of which there are draws; the others stay as they are.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts import drift_cases, drift_labels, drift_page, drift_peers
from benchmarks.parts.drift_cases import Case
from benchmarks.parts.drift_page import share
from benchmarks.parts.drift_pools import FOLDER, pool
from benchmarks.peers.environments import ENVIRONMENTS
from bertline.lifecycle.drift import language, properties
from bertline.lifecycle.drift.known import Known
from bertline.statistics.figures import percent
from bertline.statistics.shift.discriminant import Discriminant
from bertline.statistics.shift.distribution import joint_statistics, ks_statistics, mean_statistics
from bertline.statistics.shift.kernel import mmd_statistics
from bertline.statistics.shift.permutation import relabellings

PAGE = Path("docs/drift.md")
PARTS = ("false-alarms", "power", "accuracy", "labels", "cost")
SOURCES = (("rt", "rt"), ("r8", "r8"), ("imdb", "imdb"), ("rt", "imdb"), ("imdb", "rt"))  # model, texts
ESTIMATED = 1_000  # texts of each window whose accuracy is estimated
COST = FOLDER / "cost.json"


def cost() -> tuple[float, float]:
    """Seconds of one core and additional megabytes of the four tests on 5,000 and 5,000 texts of 384 numbers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10_000, 384)).astype(np.float32)
    columns = rng.random((10_000, 2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    moved = relabellings(5_000, 5_000)
    joint_statistics(columns, moved, ks_statistics(columns, moved))
    for _ in ("answers", "properties"):
        ks_statistics(columns, moved)
        mean_statistics(columns, moved)
    mmd_statistics(rows, moved)
    discriminant = Discriminant.of(rows)
    discriminant.statistics(moved)
    discriminant.scores(moved[0])
    seconds = time.process_time() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def accuracies(model: str, source: str, draws: int, *, peer: bool) -> dict[str, Any]:
    """Truth, our estimate and NannyML's of windows of a source, of a model that knows its labels; kept."""
    kept = FOLDER / f"accuracy-{model}-{source}-{draws}.json"
    found: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    if "ours" not in found or (peer and "nannyml" not in found):
        print(f"accuracy, {model} on {source}", flush=True)
        frames = [*_frames(model, source, draws)]
        found["truth"] = [float(np.mean(np.equal(one["new"]["said"], one["new"]["truth"]))) for one in frames]
        found["ours"] = [one.pop("ours") for one in frames]
        if peer:
            found["nannyml"] = drift_peers.accuracies(f"{model}-{source}", frames)
        kept.write_text(json.dumps(found))
    return found


def _frames(model: str, source: str, draws: int) -> Iterator[dict[str, Any]]:
    own, other = pool(model, model), pool(model, source)
    names = sorted({*own.labels})
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(own.labels))
        known = rows[:ESTIMATED]
        new = rows[ESTIMATED:][:ESTIMATED] if model == source else rng.permutation(len(other.labels))[:ESTIMATED]
        lined = Known.of(own.window.take(known), other.window.take(new), [own.labels[i] for i in known], names)
        one = lined.accuracy(ESTIMATED, seed)
        assert one is not None
        yield {
            "names": names,
            "known": _frame(names, lined.before, [own.labels[i] for i in known]),
            "new": _frame(names, lined.after, [other.labels[i] for i in new]),
            "ours": {"value": one.estimate.value, "low": one.estimate.low, "high": one.estimate.high},
        }


def _frame(names: Sequence[str], probabilities: np.ndarray[Any, Any], truth: Sequence[str]) -> dict[str, Any]:
    said = [names[place] for place in probabilities.argmax(axis=1)]
    return {"probabilities": probabilities.tolist(), "said": said, "truth": truth}


def _accuracy_lines(draws: int) -> Iterator[str]:
    there = [(*one, FOLDER / f"accuracy-{one[0]}-{one[1]}-{draws}.json") for one in SOURCES]
    there = [one for one in there if one[2].exists()]
    if not there:
        return
    yield (
        "| model → texts | windows | true accuracy | estimate | mean absolute error, points | interval held the truth |"
        "\n| --- | ---: | ---: | --- | ---: | ---: |"
    )
    for model, source, path in there:
        found = json.loads(path.read_text())
        for name in ("ours", "nannyml"):
            if name not in found:
                continue
            pairs = [*zip(found["truth"], found[name], strict=True)]
            errors = [abs(truth - one["value"]) for truth, one in pairs]
            held = share(sum(one["low"] <= truth <= one["high"] for truth, one in pairs), len(pairs))
            title = "ours" if name == "ours" else "NannyML's CBPE"
            cells = f"{len(pairs)} | {percent(float(np.mean(found['truth'])))} | {title} | {100 * np.mean(errors):.2f}"
            yield f"| {model} → {source} | {cells} | {held} |"
    yield (
        f"\nReference and new windows of {ESTIMATED:,} texts each. Our interval is one of 90 %, NannyML's of three "
        "standard errors of sampling.\n"
    )


def _cost_lines() -> Iterator[str]:
    if COST.exists():
        seconds, megabytes = json.loads(COST.read_text())
        yield (
            f"All four tests on 5,000 and 5,000 texts of 384 dimensions: {seconds:.2f} s of one core, "
            f"{megabytes:.0f} MB beyond the data.\n"
        )


def _version(library: str) -> str:
    """The name and version of a library in its environment."""
    name = drift_peers.LIBRARIES[library]
    folders = [str(one) for one in (ENVIRONMENTS / library).glob("lib/python*/site-packages")]
    return next((f"{name} {one.version}" for one in metadata.distributions(name=name, path=folders)), name)


def _measure(arguments: argparse.Namespace, cases: Sequence[Case]) -> None:
    for case in cases:
        drift_cases.measure(case)
        for library in drift_peers.LIBRARIES:
            drift_peers.measure(library, case, min(arguments.peer_draws, case.draws))
    if "accuracy" in arguments.parts:
        for model, source in SOURCES:
            if {model, source} <= {*arguments.models}:
                accuracies(model, source, arguments.windows, peer=bool(arguments.peer_draws))
    if "labels" in arguments.parts:
        for accuracy in drift_labels.ACCURACIES:
            drift_labels.measure(accuracy, arguments.streams, peers=bool(arguments.peer_draws))
    if "cost" in arguments.parts:
        COST.write_text(json.dumps(cost()))


def page(arguments: argparse.Namespace) -> str:
    """The page with all that has been measured here; of the rest it keeps what it has."""
    every = [*drift_cases.false_alarms(arguments.draws), *drift_cases.power(arguments.draws)]
    streams = {one: drift_labels.kept(one, arguments.streams) for one in drift_labels.ACCURACIES}
    parts = {
        "Windows of texts": drift_page.windows(every),
        "Other libraries on the same windows": drift_page.peers(every, _version),
        "With labels": drift_page.labels(arguments.streams, streams),
        "Accuracy without labels": _accuracy_lines(arguments.windows),
        "Cost": _cost_lines(),
    }
    return drift_page.joined(parts, PAGE.read_text(encoding="utf-8") if PAGE.exists() else "")


def main() -> None:
    """Measure what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="what is measured; none: the page")
    parser.add_argument("--draws", type=int, default=1_000, help="of each null; a fifth of each other case")
    parser.add_argument("--peer-draws", type=int, default=200, help="of each case, for the other libraries; 0: none")
    parser.add_argument("--streams", type=int, default=1_000, help="of labels without a change")
    parser.add_argument("--windows", type=int, default=100, help="whose accuracy is estimated")
    parser.add_argument("--models", nargs="+", default=["r8", "rt", "imdb"], help="sources to train and draw from")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    language._identifier = lambda: None  # every text is English
    properties.scripts_of = cache(properties.scripts_of)  # texts are drawn again and again
    chosen = {"false-alarms": drift_cases.false_alarms, "power": drift_cases.power}
    cases = [one for name, part in chosen.items() if name in arguments.parts for one in part(arguments.draws)]
    _measure(arguments, [one for one in cases if one.model in arguments.models])
    PAGE.write_text(page(arguments), encoding="utf-8")


if __name__ == "__main__":
    main()
