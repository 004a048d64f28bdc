"""What a paired test says, as a sentence for the page, the terminal and programs alike."""

from __future__ import annotations

from bertline.statistics.figures import difference, difference_range, p_value
from bertline.tasks.contract import Comparison

FIRST, SECOND = "A", "B"


def verdict_of(found: Comparison, rows: str = "rows") -> str:
    """The paired test of B against A.

    Args:
        found: the comparison of B with A.
        rows: the name of what one of the two may have right and the other not.
    """
    if found.only_first == found.only_second == 0 and not found.difference.value:
        return f"Both have the same {rows} right: {found.score} does not differ."
    by = f"{found.score} {difference(found.score, found.difference.value)}"
    change = f"{by} ({difference_range(found.score, found.difference)}) for {SECOND}"
    split = f"only {SECOND} is right on {found.only_first:,} {rows}, only {FIRST} on {found.only_second:,}"
    if not found.verdict:
        return f"No difference can be told: {change}; {split}. This may be chance ({p_value(found.p_value)})."
    better = SECOND if found.verdict > 0 else FIRST
    return f"{better} is better: {change}; {split}. Chance is an unlikely reason ({p_value(found.p_value)})."
