"""The sequential test of labels beside river's detectors, on simulated streams: rights and wrongs are all it sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.drift_peers import run
from benchmarks.parts.drift_pools import FOLDER
from bertline.statistics.sequential import DROP, HORIZON, accuracy_drop, cautious_baseline

ACCURACIES = (0.95, 0.9, 0.8)
BEFORE, WITHIN, AFTER = 1_000, 600, 2_000  # labels before the drop; in which it has to be found; after it
REFERENCE = 1_000  # test rows that the accuracy to expect is measured on
SCRIPT = "benchmarks/peers/drift_streams.py"
Alarms = list[int | None]
Found = dict[str, dict[str, Alarms]]  # first alarms by detector, and by kind of the streams: null, drop
Streams = np.ndarray[Any, Any]
Baseline = Callable[[int], float]


def measure(accuracy: float, draws: int, *, peers: bool) -> None:
    """Find the first alarms by detector: of streams without a change, and of a fifth as many with a drop."""
    file, found = _file(accuracy, draws), kept(accuracy, draws)
    if "ours" not in found:
        print(f"labels, accuracy {accuracy}: {draws} streams", flush=True)
        for kind, streams in _streams(accuracy, draws).items():
            found.setdefault("ours", {})[kind] = _ours(streams, _measured(accuracy))
            found.setdefault("ours, accuracy known", {})[kind] = _ours(streams, lambda _: accuracy)
        file.write_text(json.dumps(found))
    if peers and "ADWIN" not in found:
        for kind, streams in _streams(accuracy, draws).items():
            given, out = FOLDER / "streams.npy", FOLDER / "streams.json"
            np.save(given, streams)
            run("river", SCRIPT, given, out)
            for name, alarms in json.loads(out.read_text()).items():
                found.setdefault(name, {})[kind] = alarms
        file.write_text(json.dumps(found))


def kept(accuracy: float, draws: int) -> Found:
    """What has been measured; nothing if nothing has."""
    file = _file(accuracy, draws)
    found: Found = json.loads(file.read_text()) if file.exists() else {}
    return found


def _file(accuracy: float, draws: int) -> Path:
    return FOLDER / f"labels-{round(100 * accuracy)}-{draws}.json"


def _streams(accuracy: float, draws: int) -> dict[str, Streams]:
    """1 for a wrong answer, [stream, label]."""
    drops = max(200, draws // 5)
    rng = np.random.default_rng(round(100 * accuracy))
    wrong = rng.random((draws, HORIZON), np.float32) < 1 - accuracy
    rates = np.concatenate([np.full(BEFORE, 1 - accuracy), np.full(AFTER, 1 - accuracy + DROP)])
    return {"null": wrong.astype(np.uint8), "drop": (rng.random((drops, len(rates))) < rates).astype(np.uint8)}


def _measured(accuracy: float) -> Baseline:
    """The accuracy that is expected after a reference, another one for each stream."""
    return lambda number: cautious_baseline(np.random.default_rng(number).random(REFERENCE) < accuracy)


def _ours(streams: Streams, baseline: Baseline) -> Alarms:
    return [accuracy_drop(stream == 0, baseline(number)).alarm for number, stream in enumerate(streams)]


def false_alarms(alarms: Alarms) -> int:
    """Streams without a change in which an alarm was raised."""
    return sum(one is not None for one in alarms)


def early(alarms: Alarms) -> int:
    """Streams in which an alarm was raised before the drop."""
    return sum(one is not None and one <= BEFORE for one in alarms)


def in_time(alarms: Alarms) -> int:
    """Streams in which the drop was found, within ``WITHIN`` labels and not before."""
    return sum(one is not None and BEFORE < one <= BEFORE + WITHIN for one in alarms)


def median_delay(alarms: Alarms) -> float | None:
    """Labels after the drop until it was found, where it was not found before; None if it was found in too few."""
    delays = [np.inf if one is None else one - BEFORE for one in alarms if one is None or one > BEFORE]
    median = float(np.median(delays)) if delays else np.inf
    return median if np.isfinite(median) else None
