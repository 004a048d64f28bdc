"""The learning rate over a run: linear warm-up, then linear decay to zero (Devlin et al. 2019, appendix A)."""

from __future__ import annotations


def rate_factor(step: int, steps: int, warmup_ratio: float) -> float:
    """Factor on the peak rate at ``step`` (0-based) of ``steps``: rises to 1, then falls towards 0.

    >>> [round(rate_factor(step, 10, 0.2), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 0.88, 0.75, 0.62, 0.5, 0.38, 0.25, 0.12]
    """
    warmup = int(warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / max(1, steps - warmup)
