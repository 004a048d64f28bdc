"""The confusion matrix as a picture that stays readable from 2 to many labels."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bertline.evaluation.svg import CHARACTER, Number, element, picture, rect, shorten, text
from bertline.statistics.figures import percent

MOST_LABELS = 20
_LABEL_CHARACTERS = 22
FAINTEST, STRONGEST = 0.05, 0.55  # opacities between which text of the page's colour keeps its contrast
_SHARES_UP_TO = 12  # labels; smaller cells hold the count alone

Counts = Sequence[Sequence[int]]


def confusion_matrix(
    labels: Sequence[str],
    counts: Counts,
    *,
    columns: Sequence[str] | None = None,
    what: str = "rows",
    last: bool = False,
) -> Markup:
    """Rows by true label (down) and predicted label (across), each with its share of the true label's rows.

    Beyond ``MOST_LABELS`` labels, the rarest ones are summed up as "other".

    Args:
        labels: names of the matrix's rows.
        counts: of each true and predicted label.
        columns: names of its columns, if they differ from those of the rows.
        what: what is counted.
        last: whether the last row and the last column are never summed up with others.
    """
    names, cells = fold(labels, counts, last=last)
    across = names if columns is None else [*fold(columns, counts, last=last)[0]]
    size = _cell(len(names))
    left = 14 + _widest(names) * CHARACTER + 22
    slanted = _widest(across) * CHARACTER > size - 6
    top = 30 + (_slant(across) if slanted else 22)
    width, height = left + size * len(names) + (_slant(across) * 0.7 if slanted else 6), top + size * len(names) + 8
    return picture(
        f"Confusion matrix of {len(labels) - last} labels: true label down, predicted label across",
        max(width, left + 120),
        height,
        text("predicted", left + size * len(names) / 2, 16, anchor="middle", class_="tick"),
        text("true", 0, top - 10, class_="tick"),
        *(_column_name(name, left + size * (j + 0.5), top - 10, slanted) for j, name in enumerate(across)),
        *(
            text(shorten(name, _LABEL_CHARACTERS), left - 10, top + size * (i + 0.5) + 4, anchor="end", class_="legend")
            for i, name in enumerate(names)
        ),
        *(
            _box((names[i], across[j], what), cells, i, j, left + size * j, top + size * i, size)
            for i in range(len(names))
            for j in range(len(names))
        ),
        class_="chart matrix",
    )


def fold(labels: Sequence[str], counts: Counts, *, last: bool = False) -> tuple[list[str], list[list[int]]]:
    """At most ``MOST_LABELS`` + 1 labels: the most frequent ones in their order, and the sum of the others.

    With ``last``, the last label keeps its place and is never merged.
    """
    if len(labels) - last <= MOST_LABELS:
        return list(labels), [list(row) for row in counts]
    by_support = sorted(range(len(labels) - last), key=lambda i: -sum(counts[i]))
    rest = by_support[MOST_LABELS:]
    groups = [[i] for i in sorted(by_support[:MOST_LABELS])] + [rest] + [[len(labels) - 1]] * last
    names = [f"other ({len(rest)} labels)" if group is rest else labels[group[0]] for group in groups]
    return names, [[sum(counts[i][j] for i in down for j in across) for across in groups] for down in groups]


def _widest(names: Sequence[str]) -> int:
    return max(len(shorten(name, _LABEL_CHARACTERS)) for name in names)


def _cell(labels: int) -> float:
    return max(36.0, min(96.0, 460.0 / labels))


def _slant(names: Sequence[str]) -> float:
    return _widest(names) * CHARACTER * 0.75 + 6


def _column_name(name: str, x: Number, y: Number, slanted: bool) -> Markup:
    short = shorten(name, _LABEL_CHARACTERS)
    if not slanted:
        return text(short, x, y, anchor="middle", class_="legend")
    turned = f"rotate(-45 {x:.1f} {y:.1f})"
    return element("text", short, x=x, y=y, transform=turned, class_="legend")


def _box(names: tuple[str, str, str], cells: Counts, i: int, j: int, x: Number, y: Number, size: Number) -> Markup:
    count, support = cells[i][j], sum(cells[i])
    share = count / support if support else 0.0
    opacity = FAINTEST + (STRONGEST - FAINTEST) * share**0.5 if count else 0.0  # √: 5 % is to be seen too
    class_ = "right cell" if i == j else "wrong cell"
    true, predicted, what = names
    title = f"true {true}, predicted {predicted}: {count:,} of {support:,} {what} ({percent(share)})"
    with_share = len(cells) <= _SHARES_UP_TO
    middle = x + size / 2
    parts = [rect(x + 1, y + 1, size - 2, size - 2, class_, fill_opacity=opacity, rx=2)]
    if count:
        lift = -2 if with_share else 4
        class_ = "count" if size >= 44 else "count tight"
        parts.append(text(f"{count:,}", middle, y + size / 2 + lift, anchor="middle", class_=class_))
    elif with_share:
        parts.append(text("0", middle, y + size / 2 + 4, anchor="middle"))
    if with_share and count:
        parts.append(text(percent(share, digits=0), middle, y + size / 2 + 14, anchor="middle", class_="small"))
    return element("g", element("title", title), *parts)
