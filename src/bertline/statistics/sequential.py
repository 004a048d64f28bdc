"""Has accuracy dropped, and since when? A test that may look at every label as it comes (Shiryaev 1963, Roberts 1966).

Two things are kept: how probable each usual rate of errors is, after the reference's rows and the stream's labels, if
nothing dropped; and how probable the same labels are if accuracy dropped by one of ``DROPS`` before one of them, summed
over all labels. The statistic is the second, averaged over the usual rates, divided by the first.

If nothing dropped, the statistic grows by 1 per label on average, from ``HEAD_START`` on. So by Doob's inequality it
exceeds ``LIMIT`` within ``HORIZON`` labels with a probability of at most ``LEVEL``, however often one looks: on average
over the usual rates that the reference leaves possible.

The labels are taken in the order of the predictions. So it does not matter in which order they arrived, or how late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

DROPS = (0.05, 0.1, 0.2, 0.4)
SHARES = (0.7, 0.1, 0.1, 0.1)  # of the drops in the average: small ones need it most
HORIZON = 10_000  # labels
LEVEL = 0.01  # false alarms per horizon
HEAD_START = HORIZON // 4  # a drop before the first label is as likely as one before each of so many others
LIMIT = (HORIZON + HEAD_START) / LEVEL
LEAST_ERROR = 0.005  # labels err too, so that a reference without any error does not mean that there is none
_LEAST_RATES = 40
_WIDTH = 3.0  # six standard errors of an angle on each side, for one row

Right = Bool[np.ndarray[Any, Any], " labels"]
Rates = Float[np.ndarray[Any, Any], "rates 1"]
Fallen = Float[np.ndarray[Any, Any], "rates drops"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a reference says of the accuracy to expect.

    Attributes:
        right: number of its rows that were answered right.
        rows: number of its rows; at least one.

    >>> round(Baseline(9, 10).cautious, 3)
    0.791
    """

    right: int
    rows: int

    @classmethod
    def of(cls, right: Right) -> Baseline:
        """From whether each answer to the reference was right; at least one."""
        return cls(int(right.sum()), len(right))

    @property
    def accuracy(self) -> float:
        """On the reference."""
        return self.right / self.rows

    @property
    def cautious(self) -> float:
        """The accuracy less its standard error: what may be expected at least.

        Half a row more is counted as right and as wrong, because rows without an error do not show that there is none.
        """
        share = (self.right + 0.5) / (self.rows + 1)
        return max(0.0, self.accuracy - float(np.sqrt(share * (1 - share) / self.rows)))


@dataclass(frozen=True, slots=True)
class AccuracyDrop:
    """What the labels of a stream of predictions say.

    Attributes:
        baseline: accuracy that may be expected at least.
        accuracy: of all labels.
        labels: how many there are.
        alarm: number of labels after which an alarm was raised; None for none.
        since: number of labels before the drop, as far as it can be told; None without an alarm.
        after: accuracy of the labels from there on; None without an alarm.
    """

    baseline: float
    accuracy: float
    labels: int
    alarm: int | None = None
    since: int | None = None
    after: float | None = None

    @property
    def lasts(self) -> bool:
        """Whether accuracy dropped, and is below what is expected since then."""
        return self.after is not None and self.after < self.baseline


def accuracy_drop(right: Right, baseline: Baseline) -> AccuracyDrop:
    """Look for a drop of accuracy.

    Args:
        right: whether each answer was right, in the order of the predictions.
        baseline: accuracy that is expected.

    >>> accuracy_drop(np.array([True, True, False, True]), Baseline(90, 100)).alarm
    """
    accuracy = float(right.mean()) if len(right) else 0.0
    found = _alarm(right, baseline)
    if found is None:
        return AccuracyDrop(baseline.cautious, accuracy, len(right))
    alarm, usual, fallen = found
    since = _since(right[:alarm], usual, fallen)
    return AccuracyDrop(baseline.cautious, accuracy, len(right), alarm, since, float(right[since:].mean()))


def _alarm(right: Right, baseline: Baseline) -> tuple[int, float, float] | None:
    """The number of labels at the alarm, and the likeliest rates of errors before and after the drop; None for none.

    Right answers are taken together, since hardly one raises an alarm: it is looked for at each wrong one.
    """
    usual, weights = _usual(baseline, len(right))
    fallen = np.minimum(usual + DROPS, 1 - LEAST_ERROR)
    gap = np.maximum(fallen - usual, 1e-9)  # 0 where next to everything is wrong
    unit = 1 - usual.min()  # of a factor that cancels: without it, long runs of right answers would be 0
    stays, falls = (1 - usual) / unit, (1 - fallen) / unit
    none, some = weights, np.zeros_like(fallen)  # probabilities of the labels so far with no drop, and with one
    some = some + HEAD_START * none * SHARES
    wrong, before = np.flatnonzero(~right), -1
    for place in wrong.tolist():
        number, before = place - before - 1, place  # of right answers
        stayed, fell = stays**number, falls**number
        began = (1 - fallen) * (stayed - fell) / gap  # before one of the right answers, a geometric series
        some = (some * fell + none * SHARES * (began + stayed)) * fallen
        none = none * stayed * usual
        total = none.sum()
        none, some = none / total, some / total
        if some.sum() > LIMIT:
            rate, drop = np.unravel_index(int(some.argmax()), some.shape)
            return place + 1, float(usual[rate, 0]), float(fallen[rate, drop])
    return None


def _usual(baseline: Baseline, labels: int) -> tuple[Rates, Rates]:
    """Rates of errors that are possible after the reference, and how probable each is, by Jeffreys' prior.

    By angle, arcsin √rate: there the prior is uniform, and the standard error the same everywhere, 1/2√rows. The angles
    are no further apart than the standard error after all labels of a horizon, so that the truth is not between two.
    """
    wrong = baseline.rows - baseline.right
    least, most = np.arcsin(np.sqrt([LEAST_ERROR, 1 - LEAST_ERROR]))
    middle = np.clip(np.arcsin(np.sqrt((wrong + 0.5) / (baseline.rows + 1))), least, most)
    half = _WIDTH / np.sqrt(baseline.rows)
    low, high = max(middle - half, least), min(middle + half, most)
    number = max(_LEAST_RATES, int(np.ceil((high - low) * 2 * np.sqrt(baseline.rows + min(labels, HORIZON)))))
    rates = np.sin(np.linspace(low, high, number))[:, None] ** 2
    logs = wrong * np.log(rates) + baseline.right * np.log1p(-rates)
    weights = np.exp(logs - logs.max())
    return rates, weights / weights.sum()


def _since(right: Right, usual: float, fallen: float) -> int:
    """The number of labels before a drop between two rates of errors, where it is likeliest."""
    steps = np.where(right, np.log((1 - fallen) / (1 - usual)), np.log(fallen / usual))
    return int(np.argmin(np.concatenate([[0.0], np.cumsum(steps[:-1])])))
