"""Metrics of rollouts, from the tallies of the models' trials, and of how the registry is followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, fields

from bertline.monitoring.metrics.registry import Metrics
from bertline.registry.rollout import Rollout, Tally
from bertline.serving.models import Models

ENDED = ("promoted", "passed", "rolled_back")


def measure_following(metrics: Metrics, followed_s: Mapping[str, Mapping[str, float]]) -> None:
    """Show, whenever the metrics are read, when the registry was last followed.

    Args:
        metrics: of the server.
        followed_s: Unix time by model, of each of ``alias`` and ``rollout``.
    """

    def look() -> None:
        for what, times in followed_s.items():
            for model, at_s in times.items():
                metrics.set("bertline_registry_followed_timestamp_seconds", at_s, model=model, what=what)

    metrics.before_reading(look)


class RolloutMetrics:
    """Counts what rollouts count; called before the metrics are read."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counted: dict[str, tuple[int, int, Tally]] = {}

    def update(self, models: Models) -> None:
        """Set the shares, and add what has been counted since the last call."""
        self._metrics.clear("bertline_rollout_share")
        for name in models.names:
            for outcome in ENDED:  # Prometheus sees no increase in a series that begins with its first event
                self._metrics.count("bertline_rollouts_ended", 0, model=name, outcome=outcome)
            self._add(name, Tally())
            if name not in models.trials:
                self._metrics.set("bertline_rollout_share", 0, model=name, role="none")
        for name, trial in models.trials.items():
            self._metrics.set("bertline_rollout_share", trial.share, model=name, role=trial.role)
            rollout, place, before = self._counted.get(name, (0, 0, Tally()))
            if (rollout, place) != (trial.rollout, trial.place):
                before = Tally()
            now = Tally(*astuple(trial.tally))
            self._counted[name] = trial.rollout, trial.place, now
            self._add(name, Tally(*(getattr(now, one.name) - getattr(before, one.name) for one in fields(Tally))))

    def rolled(self, name: str, rollout: Rollout) -> None:
        """A rollout was moved on by this server, or has ended."""
        if rollout.status in ENDED:
            self._metrics.count("bertline_rollouts_ended", 1, model=name, outcome=rollout.status)

    def _add(self, model: str, new: Tally) -> None:
        count = self._metrics.count
        for arm in ("champion", "challenger"):
            requests, errors, slow = (getattr(new, f"{arm}_{one}") for one in ("requests", "errors", "slow"))
            each = {"answered": requests - errors - slow, "slow": slow, "failed": errors}
            for outcome, number in each.items():
                count("bertline_rollout_requests", max(0, number), model=model, arm=arm, outcome=outcome)
        each = {"same": new.compared - new.disagreed, "different": new.disagreed, "dropped": new.dropped}
        for outcome, number in each.items():
            count("bertline_rollout_compared", max(0, number), model=model, outcome=outcome)
