"""``bertline compare``: where do two models differ, and which one is better?"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bertline.cli.bundle_argument import ADDRESSES, fetched
from bertline.cli.settings_flags import with_settings
from bertline.lifecycle.comparison.settings import CompareSettings

if TYPE_CHECKING:
    from rich.console import Console

    from bertline.lifecycle.comparison.compared import ComparedTable
    from bertline.lifecycle.gate.rows import Contestant

EPILOG = (
    "Examples: bertline compare reviews new-reviews later.csv --slice-columns country --out rows.csv · "
    "bertline compare reviews reviews later.csv --engine fp32 --second-engine int8"
)
ROWS = "the rows"  # in messages about where they go
SHOWN = 5  # rows with different answers, and pairs of labels
MOST_CHARACTERS = 160  # of a text
LEAK = 0.01  # share of the rows: short texts repeat


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=EPILOG)(with_settings(CompareSettings)(compare))


def compare(
    first: Annotated[
        Path,
        typer.Argument(metavar="A", help=f"Directory of a bundle, the one in use. Or its {ADDRESSES}.", parser=fetched),
    ],
    second: Annotated[
        Path, typer.Argument(metavar="B", help="The bundle that may replace it, likewise.", parser=fetched)
    ],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Table of texts; labels are not needed. - is standard input.")
    ],
    settings: CompareSettings,
    engine: Annotated[str | None, typer.Option(help="Engine of A. [the bundle's first]")] = None,
    second_engine: Annotated[str | None, typer.Option(help="Engine of B. [the bundle's first]")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write each row with both answers, as a table.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Give two models, or two engines of one, the same table, and show where they differ.

    With labels: the figures of both, a paired test, slices, and what the gate's checks say of these rows, if B were to
    replace A. The whole gate, which also looks at leakage, behaviour and size, is bertline gate.
    """
    from bertline.cli.predict_screen import note
    from bertline.destination import check_place
    from bertline.lifecycle.comparison.bundles import compare_bundles
    from bertline.lifecycle.gate.rows import Contestant

    if out is not None:
        check_place(out, ROWS)
    both = Contestant.of(first, engine), Contestant.of(second, second_engine)
    found = compare_bundles(*both, data, settings)
    if out is not None:
        _write(found, out)
    if as_json:
        sides = [
            {"name": one.manifest.name, "digest": one.manifest.checksum, "engine": one.predictor.engine} for one in both
        ]
        typer.echo(json.dumps({"first": sides[0], "second": sides[1], **found.to_json()}, ensure_ascii=False))
    else:
        _show(found, both)
    if out is not None:
        note(f"rows: {out}")


def _write(found: ComparedTable, out: Path) -> None:
    """Each row of the table that was compared, in its order."""
    from bertline.data.table import open_writer
    from bertline.data.targets import to_json

    examples, labelled = found.rows.dataset.examples, found.labelled is not None
    pairs = any(one.pair is not None for one in examples)
    columns = ["line", "text", *(["text_pair"] if pairs else []), "a", "b", "same", "apart"]
    columns += ["label", "a_right", "b_right"] if labelled else []
    with open_writer(out, columns=columns) as writer:
        for example, answer, right in zip(examples, found.answers, found.right, strict=True):
            row: dict[str, Any] = {"line": example.line, "text": example.text, "text_pair": example.pair}
            row |= {"a": answer.first, "b": answer.second, "same": answer.agree, "apart": round(answer.shift, 6)}
            row |= {"label": to_json(example.target), "a_right": right[0], "b_right": right[1]}
            writer.write({name: row[name] for name in columns})


# ---------------------------------------------------------------------------------------------------- the screen


def _show(found: ComparedTable, both: tuple[Contestant, Contestant]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for letter, one in zip("AB", both, strict=True):
        console.print(f"{letter}  {one.title}, {one.predictor.engine}")
    console.print()
    for sentence in _headlines(found):
        console.print(sentence)
    if found.labelled is not None:
        _show_labelled(found, console)
    if found.latencies is not None:
        first, second, ratio = found.latencies.first, found.latencies.second, found.latencies.ratio
        console.print(
            f"\nTime for one text, median and 99th percentile: A {first.p50_ms:.1f} and {first.p99_ms:.1f} ms, "
            f"B {second.p50_ms:.1f} and {second.p99_ms:.1f} ms. In the median, B takes {ratio.value:.2f} times as long "
            f"as A ({ratio.low:.2f} to {ratio.high:.2f})."
        )
    _show_rows(found, console)


def _headlines(found: ComparedTable) -> list[str]:
    from bertline.statistics.figures import INTERVAL, percent, percent_range

    rows, agreement = len(found.answers), found.agreement
    compared = sum(one.agree is not None for one in found.answers)
    differ = sum(one.agree is False for one in found.answers)
    told = [f"They differ on {differ:,} of {compared:,} rows." if differ else "No row has a different answer."]
    if compared:
        share = f"{percent(agreement.value)} of the rows ({INTERVAL} {percent_range(agreement)})"
        told = [f"{told[0]} The same answer to {share}."]
    if found.labelled is not None:
        from bertline.lifecycle.comparison.wording import verdict_of

        told.append(verdict_of(found.labelled.test))
    skipped = ", ".join(f"{number:,} with {why}" for why, number in found.rows.dataset.skipped.items())
    if skipped:
        told.append(f"Rows left out: {skipped}.")
    told += [
        f"{letter} has learned from {seen:,} of these {rows:,} texts, so its figures are too good."
        for letter, seen in zip("AB", found.seen, strict=True)
        if seen is not None and seen > LEAK * rows
    ]
    return told


def _show_labelled(found: ComparedTable, console: Console) -> None:
    from bertline.statistics.figures import figure

    assert found.labelled is not None
    figures = _table("", "A", "B")
    pairs = zip(found.labelled.first.headline(), found.labelled.second.headline(), strict=True)
    for (name, one), (_, other) in pairs:
        sides = [figure(name, side) for side in (one, other)]
        figures.add_row(name, *(f"{value} ({interval})" for value, interval in sides))
    console.print()
    console.print(figures)
    checks = _table("check of the gate", "says", "why")
    for check in found.labelled.checks:
        checks.add_row(check.name.partition(" · ")[0], check.decision, check.sentence)
    console.print()
    console.print(checks)


def _show_rows(found: ComparedTable, console: Console) -> None:
    changes = found.to_json()["changes"][:SHOWN]
    if changes:
        console.print("\nMost frequent changes, A → B")
        for one in changes:
            console.print(f"  {one['rows']:,} × {one['first']} → {one['second']}")
    places = [place for place, one in enumerate(found.answers) if one.agree is False]
    places.sort(key=lambda place: -found.answers[place].shift)
    for number, place in enumerate(places[:SHOWN]):
        if not number:
            console.print("\nFurthest apart")
        example, answer = found.rows.dataset.examples[place], found.answers[place]
        said = f"  line {example.line}: A {_words(answer.first)}, B {_words(answer.second)}  "
        texts = [shorten(one, MOST_CHARACTERS, placeholder=" …") for one in (example.text, example.pair) if one]
        console.print(f"{said}{' | '.join(texts)}", soft_wrap=True)


def _table(*columns: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for place, name in enumerate(columns):
        table.add_column(name, no_wrap=place + 1 < len(columns), overflow="fold")
    return table


def _words(answer: Any) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
