"""The report's first sentences, and the warnings about a model that is no use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bertline.evaluation.kinds import kind_of
from bertline.statistics.figures import difference, difference_range, p_value, value
from bertline.tasks.contract import Evaluation

if TYPE_CHECKING:
    from bertline.evaluation.baselines import Baseline


def verdict(evaluation: Evaluation, baselines: Sequence[Baseline]) -> str:
    """The report's first sentences: how good the model is, and whether that beats the best baseline."""
    kind = kind_of(evaluation)
    lead, collapsed = kind.lead(evaluation), kind.collapse(evaluation)
    if collapsed is not None:
        return f"{lead} {collapsed[0].upper()}{collapsed[1:]}. Train it again, first with a lower learning rate."
    if not baselines:
        return lead
    best = max(baselines, key=lambda baseline: baseline.score.value)
    gain = best.encoder_gain
    against = f"{best.name} {kind.reached.format(value(best.figure, best.score.value))}"
    name = gain.score
    figures = f"{difference(name, gain.difference.value)} ({difference_range(name, gain.difference)}), "
    figures += p_value(gain.p_value)
    if gain.verdict > 0:
        return f"{lead} {against}: the encoder is better, {figures}."
    if gain.verdict < 0:
        return f"{lead} {against}: the encoder is worse, {figures}. Use the baseline, or train differently."
    return f"{lead} {against}: these rows show no difference, {figures}. More test rows would tell."


def beaten(baselines: Sequence[Baseline]) -> str | None:
    """The warning about an encoder with a lower score than a baseline; None for any other."""
    best = max(baselines, key=lambda baseline: baseline.score.value, default=None)
    if best is None or best.encoder_gain.difference.value >= 0:
        return None
    gain, score = best.encoder_gain, value(best.figure, best.score.value)
    by = difference(gain.score, -gain.difference.value).lstrip("+")
    return f"{best.name} has the {gain.score} {score}, {by} more than the encoder ({p_value(gain.p_value)})"


def collapse(evaluation: Evaluation) -> str | None:
    """The warning about a model that answers every text alike; None for any other model."""
    return kind_of(evaluation).collapse(evaluation)
