"""All checks of a gate, and the verdict that a promotion requires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bertline import __version__
from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.errors import UsageError
from bertline.evaluation.bounds import Bound, missed_bounds
from bertline.lifecycle.gate.behaviour import behaves, read_cases
from bertline.lifecycle.gate.check import Check, Decision, decide
from bertline.lifecycle.gate.costs import as_fast, as_small
from bertline.lifecycle.gate.rows import Contestant, Judged, judge
from bertline.lifecycle.gate.scores import non_inferior, slices
from bertline.lifecycle.gate.settings import GateSettings
from bertline.lifecycle.gate.sound import calibrated, same_on_its_engine, unseen


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a challenger is judged by.

    Attributes:
        frozen: labelled tables that stay the same from challenger to challenger.
        fresh: labelled tables of recent rows, which count apart.
        behaviours: files of cases, or names of starter sets.
        bounds: of figures of every table.
        names: of tables for people, by their path; others are called by it.
    """

    frozen: Sequence[str]
    fresh: Sequence[str] = ()
    behaviours: Sequence[str] = ()
    bounds: Sequence[Bound] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gated:
    """Every check, and who was judged against whom."""

    checks: tuple[Check, ...]
    challenger: Contestant
    champion: Contestant | None
    settings: GateSettings
    fingerprints: dict[str, Any]

    @property
    def decision(self) -> Decision:
        """Of all checks."""
        return decide(self.checks)

    def verdict(self, now: datetime | None = None) -> SignedVerdict:
        """The file that ``models promote`` reads, unsigned."""
        created = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        details = {
            "bertline": __version__,
            "checks": [one.to_json() for one in self.checks],
            "settings": self.settings.model_dump(mode="json"),
            "data": self.fingerprints,
        }
        return SignedVerdict(
            verdict=Verdict(
                challenger=self.challenger.manifest.checksum,
                champion=None if self.champion is None else self.champion.manifest.checksum,
                decision=self.decision,
                created=created,
                details=details,
            )
        )


def gate(challenger: Path, champion: Path | None, evidence: Evidence, settings: GateSettings) -> Gated:
    """Judge a challenger.

    Args:
        challenger: directory of its bundle.
        champion: directory of the bundle in use; None for the first model, which has only bounds to keep.
        evidence: rows, behaviours and bounds.
        settings: what passes.

    Raises:
        UsageError: there is neither a champion nor a bound, or the models do not answer alike.
        BundleError: a bundle cannot be loaded.
        DataError: a table or a file of behaviours cannot be used.
    """
    if champion is None and not evidence.bounds:
        raise UsageError(
            "there is no champion to compare with: give --champion, or a floor such as --minimum accuracy=0.8"
        )
    own, other = Contestant.of(challenger), None if champion is None else Contestant.of(champion)
    cases = [read_cases(source, own.predictor.spec) for source in evidence.behaviours]
    tables = [*((data, False) for data in evidence.frozen), *((data, True) for data in evidence.fresh)]
    sets = [(judge(data, settings, own, other, evidence.names.get(data)), fresh) for data, fresh in tables]
    checks = [one for judged, fresh in sets for one in _of_rows(judged, own, evidence.bounds, settings, fresh=fresh)]
    checks += [behaves(one, own.predictor, None if other is None else other.predictor) for one in cases]
    checks.append(same_on_its_engine(sets[0][0], own, settings))
    if other is not None:
        checks += [as_fast(sets[0][0], own, other, settings), as_small(own, other, settings)]
    fingerprints = {judged.name: {"rows": len(judged.readings), "sha256": judged.sha256} for judged, _ in sets}
    return Gated(tuple(checks), own, other, settings, fingerprints)


def _of_rows(
    judged: Judged, challenger: Contestant, bounds: Sequence[Bound], settings: GateSettings, *, fresh: bool
) -> Iterator[Check]:
    """The checks that each table goes through."""
    if judged.champion is not None:
        yield non_inferior(judged, settings, fresh=fresh)
        yield slices(judged, settings)
    if bounds:
        missed = missed_bounds(bounds, judged.evaluation().metrics(), judged.name)
        said = "; ".join(missed) or "every bound is kept"
        yield Check(f"bounds · {judged.name}", "no" if missed else "yes", said)
    calibration = calibrated(judged, settings)
    if calibration is not None:
        yield calibration
    yield unseen(judged, challenger, settings)
