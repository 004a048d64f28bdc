"""Expected duration of a batch, learned from a model's earlier batches by output and size.

Sizes are grouped by powers of two. The estimate rises quickly after a slow batch and falls slowly after fast ones, so
that a slow machine is not mistaken for a hanging process.

A batch that is computed alone may use all cores and then takes a fraction of the time: it has estimates of its own.
"""

from __future__ import annotations

UP, DOWN = 0.5, 0.1  # weight of the last batch in the estimate, if it was slower and if it was faster
GROWTH = 1.5  # time grows with tokens to this power, if only smaller batches were measured: attention is quadratic
MOST_PATIENCE = 2.0  # with more, a model that hangs at every text would be restarted forever
PATIENCE_HOLDS_S = 60.0


class Costs:
    """The estimates for one version of a model; they survive its processes."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, bool], dict[int, float]] = {}
        self._patience, self._hung_s = 1.0, float("-inf")

    def learn(self, output: str, padded_tokens: int, seconds: float, *, alone: bool) -> None:
        """Update the estimate with a batch."""
        known, size = self._seconds.setdefault((output, alone), {}), padded_tokens.bit_length()
        before = known.get(size, seconds)
        known[size] = before + (UP if seconds > before else DOWN) * (seconds - before)

    def expected_s(self, output: str, padded_tokens: int, *, alone: bool) -> float | None:
        """Expected duration of a batch; None if nothing was measured yet.

        >>> costs = Costs()
        >>> costs.learn("logits", 64, 0.01, alone=False)
        >>> costs.expected_s("logits", 1024, alone=False), costs.expected_s("logits", 64, alone=True)
        (0.64, 0.01)
        >>> costs.expected_s("embedding", 64, alone=False)
        """
        known, size = self._seconds.get((output, alone)), padded_tokens.bit_length()
        if alone and not known:
            known = self._seconds.get((output, False))  # alone, it takes no longer
        if not known:
            return None
        if size in known:
            return known[size]
        smaller = max((one for one in known if one < size), default=None)
        if smaller is None:
            return known[min(known)]
        return float(known[smaller] * 2.0 ** (GROWTH * (size - smaller)))

    def hung(self, now_s: float) -> None:
        """A process was killed over a batch: allow the next one more time, because the machine may be slow."""
        self._patience = min(MOST_PATIENCE, 2 * self.patience(now_s))
        self._hung_s = now_s

    def patience(self, now_s: float) -> float:
        """Factor on the time limit of a batch."""
        return self._patience if now_s - self._hung_s < PATIENCE_HOLDS_S else 1.0
