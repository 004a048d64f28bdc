"""The whole loop, several times: what is found, how long each step takes, and whether a request is lost.

    make bench ONLY=loop
    make bench ONLY=loop ARGS="--seeds 0 --small"

Each run is ``make loop`` with another draw of rows: real processes, one machine. Writes docs/loop.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import BUILD
from bertline.statistics.figures import percent

PAGE = Path("docs/loop.md")
Played = dict[str, Any]
# Of each run: how the page names it, the key of loop.json, and how it is written.
LINES = (
    ("minutes, from an empty directory", "minutes", "{:.1f}"),
    ("requests answered", "requests", "{:,}"),
    ("requests lost", "lost", "{}"),
    ("smallest p, the texts as before", "p_before", "{:.3f}"),
    ("smallest p, first window of other texts", "p_changed_1", "{:.3f}"),
    ("smallest p, second window", "p_changed_2", "{:.3f}"),
    ("accuracy before the change", "accuracy_before", "%"),
    ("after it, old model", "accuracy_changed", "%"),
    ("after it, new model", "accuracy_after", "%"),
    ("labels when the retraining had ended", "labels", "{:,}"),
    ("retraining and gate, seconds", "retraining_s", "{:.0f}"),
    ("the new model was", "rollout", "{}"),
    ("shadow to promotion, seconds", "rollout_s", "{:.0f}"),
    ("the bad model was", "bad_model", "{}"),
    ("from its first request to the roll-back, seconds", "bad_model_s", "{:.0f}"),
    ("entries of the log of deployments", "log_entries", "{}"),
    ("faults in it", "log_faults", "{}"),
)


def play(seed: int, *, small: bool) -> Played:
    """One run in a directory of its own.

    Raises:
        CalledProcessError: a step of the loop did not end as it should.
    """
    directory = BUILD / f"loop-{seed}"
    command = [sys.executable, "-m", "examples.loop", "--no-serve", "--seed", str(seed), "--directory", str(directory)]
    subprocess.run([*command, *(["--small"] if small else [])], check=True)
    measured: Played = json.loads((directory / "loop.json").read_text(encoding="utf-8"))
    return measured


def page(runs: dict[int, Played], *, small: bool) -> str:
    """The Markdown of docs/loop.md."""
    size = "400 rows to learn, windows of 120 texts" if small else "1,500 rows to learn, windows of 250 texts"
    head = [
        "# The loop\n",
        "What happens in `make loop`, and how long it takes. `make bench ONLY=loop` measures again. Each column is a "
        f"run with another draw of rows: {size}, 10 requests a second. The bounds of its rollouts are wider than the "
        "defaults, because the story is short.\n",
        f"Machine: {describe()}.\n",
        f"| | {' | '.join(f'draw {seed}' for seed in runs)} | median |",
        f"| --- |{' ---: |' * (len(runs) + 1)}",
    ]
    return "\n".join([*head, *(_line(title, key, form, list(runs.values())) for title, key, form in LINES), ""])


def _line(title: str, key: str, form: str, runs: list[Played]) -> str:
    values = [run[key] for run in runs]
    middle = "" if isinstance(values[0], str) else _written(float(np.median(values)), form)
    return f"| {title} | {' | '.join(_written(value, form) for value in values)} | {middle} |"


def _written(value: Any, form: str) -> str:
    if isinstance(value, str):
        return value.replace("_", " ")
    if form == "%":
        return percent(value)
    return form.format(round(value) if form in ("{}", "{:,}") else value)


def main() -> None:
    """Play it and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the draws of rows, a run each")
    parser.add_argument("--small", action="store_true", help="fewer rows: everything happens, and figures say little")
    arguments = parser.parse_args()
    runs = {seed: play(seed, small=arguments.small) for seed in arguments.seeds}
    PAGE.write_text(page(runs, small=arguments.small), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
