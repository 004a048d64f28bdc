"""Checks before a run for anything that would make it fail at its end, the cheapest first."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from bertline.bundle import check_new
from bertline.destination import check_room
from bertline.evaluation import tfidf
from bertline.evaluation.report import import_jinja
from bertline.training.checkpoint import state_bytes, working_directory

_COPIES = 4  # of the weights in a state: the weights, two moments of each, the best epoch's weights


def check_start(out: Path, *, overwrite: bool, baselines: bool) -> None:
    """Check that a bundle can be written at ``out`` at all; takes milliseconds.

    Raises:
        UsageError: a package that the end of the run needs is not installed.
        BundleError, DestinationError: the name or the permissions do not allow it, or ``out`` exists.
    """
    check_new(out, overwrite=overwrite)
    import_jinja()
    if baselines:
        tfidf.check_package()


def check_disk(out: Path, model: nn.Module, runs: int = 1) -> None:
    """Check that the disk has room for the peak of the run: a new state beside the one that it replaces.

    The output, which is written at the end beside one state, takes about a quarter of a state, and so does each of
    ``runs`` that has ended.

    Raises:
        DestinationError: there is too little room.
    """
    of_state = 4 * _COPIES * sum(parameter.numel() for parameter in model.parameters())
    there = state_bytes(working_directory(out))
    needed = 2 * of_state + (runs - 1) * of_state // _COPIES - min(there, of_state)
    check_room(out, "the run and its output", needed, largest_bytes=of_state)
