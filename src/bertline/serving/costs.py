"""What batches of a model have cost, by their output and their size: how long the next one should take.

Sizes are kept by their power of two. A slow batch counts at once by half and a fast one slowly, so that a machine that
becomes slow is not taken for a process that hangs.

A batch that is computed alone may have all cores, and costs a fraction then of what it costs beside others: the two are
kept apart.
"""

from __future__ import annotations

UP, DOWN = 0.5, 0.1  # share of the last batch in what is expected, where it was slower and where it was faster
GROWTH = 1.5  # exponent of a batch's time in its tokens, where only smaller ones were measured: attention is quadratic
MOST_PATIENCE = 2.0  # more, and a model that hangs at every text would be restarted for ever
PATIENCE_HOLDS_S = 60.0


class Costs:
    """Of one version of a model, whichever process computed them."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, bool], dict[int, float]] = {}
        self._patience, self._hung_s = 1.0, float("-inf")

    def learn(self, output: str, padded_tokens: int, seconds: float, *, alone: bool) -> None:
        """A batch was computed in this time."""
        known, size = self._seconds.setdefault((output, alone), {}), padded_tokens.bit_length()
        before = known.get(size, seconds)
        known[size] = before + (UP if seconds > before else DOWN) * (seconds - before)

    def expected_s(self, output: str, padded_tokens: int, *, alone: bool) -> float | None:
        """How long a batch takes; None where nothing was measured yet.

        >>> costs = Costs()
        >>> costs.learn("logits", 64, 0.01, alone=False)
        >>> costs.expected_s("logits", 1024, alone=False), costs.expected_s("logits", 64, alone=True)
        (0.64, 0.01)
        >>> costs.expected_s("embedding", 64, alone=False)
        """
        known, size = self._seconds.get((output, alone)), padded_tokens.bit_length()
        if alone and not known:
            known = self._seconds.get((output, False))  # it takes no longer than beside others
        if not known:
            return None
        if size in known:
            return known[size]
        smaller = max((one for one in known if one < size), default=None)
        if smaller is None:
            return known[min(known)]
        return float(known[smaller] * 2.0 ** (GROWTH * (size - smaller)))

    def hung(self, now_s: float) -> None:
        """A process was ended because of a batch: the next one gets more time, in case that it was the machine."""
        self._patience = min(MOST_PATIENCE, 2 * self.patience(now_s))
        self._hung_s = now_s

    def patience(self, now_s: float) -> float:
        """Factor on the time that a batch may take."""
        return self._patience if now_s - self._hung_s < PATIENCE_HOLDS_S else 1.0
