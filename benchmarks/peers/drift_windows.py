"""Other libraries on the windows of ``benchmarks.drift``, each in an environment of its own.

    python benchmarks/peers/drift_windows.py LIBRARY TASK.json OUT.jsonl

A line is appended for each pair of windows: what each test of the library said, and its seconds of one core. Each is
called as its documentation shows it, with its defaults.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.update(DO_NOT_TRACK="1", ITERATIVE_DO_NOT_TRACK="1", NML_DISABLE_USAGE_LOGGING="1")  # no usage is sent

LARGEST_KERNEL = 2_000  # rows of both windows: alibi-detect holds all pairs, several times
Test = Callable[[], bool]
Rows = np.ndarray[Any, Any]


class Windows:
    """The texts of a case as a model sees them, and which of them are in the two windows.

    Args:
        task: as ``benchmarks.parts.drift_peers`` writes it.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        self.texts: list[str] = json.loads(Path(task["texts"]).read_text(encoding="utf-8"))
        with np.load(task["arrays"]) as arrays:
            self.embeddings: Rows = arrays["embeddings"]
            columns = [arrays[name] for name in arrays.files if name.startswith("answer:")]
        self.answers: Rows = np.stack(columns, axis=1)
        self.draws: list[tuple[list[int], list[int]]] = task["draws"]


def evidently(windows: Windows, known: list[int], new: list[int]) -> Iterator[tuple[str, Test]]:
    """Its default for embeddings; its classifier and its MMD with their own defaults; its default for texts."""
    import pandas as pd
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType
    from evidently.legacy.metrics.data_drift.embedding_drift_methods import mmd, model

    def embedded(method: Any) -> bool:
        before, after = (pd.DataFrame(windows.embeddings[rows]).add_prefix("e") for rows in (known, new))
        return bool(method(after, before)[1])

    def of_texts() -> bool:
        before, after = (pd.Series([windows.texts[i] for i in rows]) for rows in (known, new))
        test = get_stattest(before, after, ColumnType.Text, None)
        return bool(test(before, after, ColumnType.Text, None).drifted)

    yield "EmbeddingsDrift()", lambda: embedded(model(bootstrap=len(known) < 1_000))  # as that metric chooses
    yield "model()", lambda: embedded(model())
    yield "mmd()", lambda: embedded(mmd())
    yield "text", of_texts


def alibi(windows: Windows, known: list[int], new: list[int]) -> Iterator[tuple[str, Test]]:
    """Kolmogorov and Smirnov's test of the answers with Bonferroni's correction, MMD of the embeddings."""
    from alibi_detect.cd import KSDrift, MMDDrift

    def said(detector: Any, rows: Rows) -> bool:
        return bool(detector.predict(rows)["data"]["is_drift"])

    answers, embeddings = windows.answers, windows.embeddings
    yield "KSDrift", lambda: said(KSDrift(answers[known], p_val=0.05), answers[new])
    if len(known) + len(new) <= LARGEST_KERNEL:
        yield "MMDDrift", lambda: said(MMDDrift(embeddings[known], backend="pytorch", p_val=0.05), embeddings[new])


LIBRARIES = {"evidently": evidently, "alibi": alibi}


def main() -> None:
    """Answer the pairs of windows that the file has no line for."""
    library, task, out = LIBRARIES[sys.argv[1]], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3])
    windows = Windows(task)
    with out.open("a", encoding="utf-8") as stream:
        for known, new in windows.draws:
            found: dict[str, bool] = {}
            seconds: dict[str, float] = {}
            for name, test in library(windows, known, new):
                np.random.seed(len(found))  # both libraries draw from the global generator
                began = time.process_time()
                found[name] = test()
                seconds[name] = time.process_time() - began
            stream.write(json.dumps({"found": found, "seconds": seconds}) + "\n")
            stream.flush()


if __name__ == "__main__":
    main()
