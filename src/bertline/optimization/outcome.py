"""The outcome of ``optimize``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bertline.bundle.probes import Probes
from bertline.optimization.candidates import Candidate
from bertline.optimization.measure import EngineFigures
from bertline.tasks.contract import Comparison


@dataclass(frozen=True)
class Optimized:
    """The engines that were tried, their figures, and the one that was picked.

    ``measured`` holds figures of the tuning rows, by which the pick was made; ``reported`` the quality on the test
    rows, which nothing was chosen by; ``agreement`` the share of unlabelled texts that get fp32's answer. ``refused``
    names the engines that a loader would refuse by the ``probes``; they are reported and never picked or written.
    ``processor`` is what speeds were measured on.
    """

    picked: str
    candidates: Mapping[str, Candidate]
    measured: Mapping[str, EngineFigures]
    reported: Mapping[str, Comparison]
    agreement: Mapping[str, float]
    frontier: set[str]
    caveats: tuple[str, ...]
    refused: frozenset[str]
    probes: Probes
    processor: str
