"""One refresh of ``bertline top`` as a person sees it, on 80 columns and on fewer."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bertline.cli.top_frame import Frame, ModelLine

WHOLE = 80  # columns; on fewer, a model's version and engine are left out
SMALL = 60  # columns; on fewer, figures take a line more
NOTHING = "–"


def screen(url: str, frame: Frame | None, trouble: str | None, *, width: int) -> RenderableType:
    """The whole picture.

    Args:
        url: of the server.
        frame: the last that could be read.
        trouble: why there is no newer one.
        width: of the terminal, in columns.
    """
    parts: list[RenderableType] = [_head(url, frame)]
    if trouble:
        parts.append(Text(trouble, style="bold red"))
    if frame is not None:
        figures, models = _figures(frame, pairs=2 if width < SMALL else 3), _models(frame, narrow=width < WHOLE)
        parts += ["", figures, "", models, "", _refusals(frame)]
    return Group(*parts)


def _head(url: str, frame: Frame | None) -> Text:
    head = Text("bertline", style="bold")
    if frame is None:
        return head.append(f"  {url}", style="not bold")
    head.append(f" {frame.release}  {url}  ", style="not bold")
    return head.append("ready", style="green") if frame.ready else head.append("not ready", style="bold red")


def _figures(frame: Frame, *, pairs: int) -> Table:
    """Names and values, so many of them on a line."""
    from bertline.statistics.figures import percent

    padding = NOTHING if frame.padding is None else percent(frame.padding, digits=0)
    figures = [
        ("texts/s", number(frame.texts_per_s)), ("requests/s", number(frame.requests_per_s)),
        ("p50", time(frame.p50_s)), ("p99", time(frame.p99_s)),
        ("open", f"{frame.in_progress:.0f}"), ("padding", padding),
    ]  # fmt: skip
    if pairs == 3:  # rates and latencies stay below each other
        figures = [figures[place] for place in (0, 1, 4, 2, 3, 5)]
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(pairs):
        table.add_column(style="dim", no_wrap=True)
        table.add_column(justify="right", min_width=8, no_wrap=True)
    for place in range(0, len(figures), pairs):
        table.add_row(*(cell for pair in figures[place : place + pairs] for cell in pair))
    return table


def _models(frame: Frame, *, narrow: bool) -> RenderableType:
    if not frame.models:
        return Text("no model has answered yet", style="dim")
    table = Table(box=None, pad_edge=False, padding=(0, 1 if narrow else 2, 0, 0), header_style="dim")
    table.add_column("model", overflow="ellipsis", no_wrap=True, max_width=16)
    if not narrow:
        table.add_column("version", no_wrap=True)
        table.add_column("engine", overflow="ellipsis", no_wrap=True, max_width=8)
    table.add_column("state", no_wrap=True)
    for name in ("texts/s", "queue", "wait", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in frame.models:
        table.add_row(*_model(one, frame.ready, narrow=narrow))
    return table


def _model(one: ModelLine, server_ready: bool, *, narrow: bool) -> list[RenderableType]:
    ready = server_ready if one.ready is None else one.ready
    state = Text("ready", style="green") if ready else Text("down", style="bold red")
    described: list[RenderableType] = [] if narrow else [Text(one.version[:12]), Text(one.engine or NOTHING)]
    lost = Text(f"{one.restarts:.0f}", style="yellow" if one.restarts else "")
    return [
        Text(one.name),
        *described,
        state,
        number(one.texts_per_s),
        f"{one.queue_tokens:,.0f}",
        time(one.queue_s),
        lost,
    ]


def _refusals(frame: Frame) -> RenderableType:
    if not frame.refusals_in_all:
        return Text("no refusals", style="dim")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("refused", overflow="ellipsis", no_wrap=True)
    table.add_column("per second", justify="right")
    table.add_column("in all", justify="right")
    for code, every in sorted(frame.refusals_in_all.items(), key=lambda one: (-frame.refusals.get(one[0], 0), -one[1])):
        now = frame.refusals.get(code, 0) / frame.since_s
        table.add_row(Text(code), Text(number(now), style="yellow" if now else "dim"), f"{every:,.0f}")
    return table


def number(value: float) -> str:
    """With as many places as one reads.

    >>> number(0), number(0.25), number(12.34), number(1234.5)
    ('0', '0.25', '12.3', '1,234')
    """
    if not value:
        return "0"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def time(seconds: float | None) -> str:
    """Milliseconds, or seconds where there are many.

    >>> time(None), time(0), time(0.00123), time(0.123), time(2.5)
    ('–', '0 ms', '1.2 ms', '123 ms', '2.5 s')
    """
    if seconds is None:
        return NOTHING
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.1f} ms" if 0 < seconds < 0.01 else f"{1000 * seconds:.0f} ms"
