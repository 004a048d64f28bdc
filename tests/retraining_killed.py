"""A process that retrains a model, for the drill of kills: it ends with SIGKILL at one moment of one step.

``python -m tests.retraining_killed FOLDER STEP WHEN``: WHEN is ``before`` the step, ``after`` its work and before its
record, or a number: that call of what writes during the step, counted from 1; ``never`` lets it end. FOLDER is a
world's, of ``tests/unit/lifecycle/retraining/conftest.py``. It prints the outcome.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bertline.lifecycle.gate import costs
from bertline.lifecycle.retraining import run as steps
from bertline.lifecycle.retraining.context import Facts, Run
from bertline.lifecycle.retraining.retrainer import Retrainer
from bertline.lifecycle.retraining.settings import RetrainSettings
from bertline.optimization.cold_start import ColdStart
from bertline.optimization.settings import OptimizeSettings
from bertline.registry.settings import RegistrySettings
from bertline.training.progress import Silent

WRITES = ("os.rename", "os.mkdir", "open", "sqlite3.connect")  # events of Python's audit hooks that change something


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _killing(step: Callable[[Run], Facts], when: str) -> Callable[[Run], Facts]:
    """The step that kills its process at that moment."""

    def killed(run: Run) -> Facts:
        if when == "before":
            _kill()
        if when.isdigit():
            left = [int(when)]

            def count(event: str, arguments: tuple[Any, ...]) -> None:
                if event in WRITES and (event != "open" or _writes(arguments)):
                    left[0] -= 1
                    if left[0] == 0:
                        _kill()

            sys.addaudithook(count)
        facts = step(run)
        if when.isdigit():
            print("the step has fewer writes", flush=True)
        _kill()
        return facts

    return killed


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) and "pycache" not in str(arguments[0])


def main(folder: str, step: str, when: str) -> None:
    costs.measure_cold_start = lambda *_: ColdStart(1.0, 100.0)
    place = Path(folder)
    if when != "never":
        steps.STEPS[step] = _killing(steps.STEPS[step], when)
    retrainer = Retrainer(
        model="films",
        settings=RetrainSettings.model_validate_json((place / "settings.json").read_text()),
        registry=RegistrySettings(url=f"sqlite:///{place / 'models.db'}", store=str(place / "store")),
        optimizing=OptimizeSettings(),
        progress=Silent(),
        labelled=None,
        by="drill",
    )
    journal = retrainer.once(by_hand=True).journal
    assert journal is not None
    print(f"outcome: {journal.outcome}")


if __name__ == "__main__":
    main(*sys.argv[1:])
