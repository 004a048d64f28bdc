"""Hands the windows of ``benchmarks.drift`` to other libraries, and accuracy without labels to NannyML."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts.drift_cases import Case, lines
from benchmarks.parts.drift_pools import FOLDER, pool
from benchmarks.peers.environments import make

WINDOWS = "benchmarks/peers/drift_windows.py"
ACCURACY = "benchmarks/peers/drift_accuracy.py"
LIBRARIES = {"evidently": "evidently", "alibi": "alibi-detect"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measure(library: str, case: Case, draws: int) -> None:
    """Ask a library about the first pairs of windows of a case, those aside that it was asked about before."""
    kept = found_in(library, case)
    kept.parent.mkdir(parents=True, exist_ok=True)
    have = len(lines(kept))
    if have >= draws:
        return
    print(f"{library}, {case.name}: {have} of {draws}", flush=True)
    own, texts = pool(case.model, case.model), FOLDER / f"{case.model}-texts.json"
    texts.write_text(json.dumps(own.window.inputs), encoding="utf-8")
    task = FOLDER / f"{library}-task.json"
    content = {
        "texts": str(texts),
        "arrays": str(FOLDER / f"{case.model}-{case.model}.npz"),
        "draws": [[rows.tolist() for rows in case.windows(seed)] for seed in range(have, draws)],
    }
    task.write_text(json.dumps(content), encoding="utf-8")
    run(library, WINDOWS, library, task, kept)


def found_in(library: str, case: Case) -> Path:
    """The file that keeps what a library said."""
    return FOLDER / library / case.file


def accuracies(name: str, frames: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """NannyML's estimate and its bounds for pairs of windows.

    Args:
        name: of the case.
        frames: for each pair, labels, answers and probabilities of the reference and of the new window.
    """
    kept, task = FOLDER / f"nannyml-{name}-{len(frames)}.json", FOLDER / f"nannyml-{name}-task.json"
    if not kept.exists():
        task.write_text(json.dumps(frames), encoding="utf-8")
        run("nannyml", ACCURACY, task, kept)
    found: list[dict[str, float]] = json.loads(kept.read_text())
    return found


def run(environment: str, script: str, *arguments: object) -> None:
    """Run a script in an environment of the peers, on one thread.

    Raises:
        CalledProcessError: it failed; its errors are on this terminal.
    """
    command = [str(make(environment)), script, *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, **ONE_THREAD})
