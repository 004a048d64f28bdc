"""HTML for notebooks: the bars of the service's page, and plain tables.

The text has the colour of the notebook's theme, and lines and tracks are that colour made fainter, so that light and
dark themes both fit; the colour of the bars has a contrast of 3 or more against white and against black. Everything
that comes from a model, a table or a text is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

from bertline.statistics.figures import percent

Answer = Mapping[str, Any]
Shown = tuple[str, str, str, str]  # what is given, its value, HTML of all of it, and what is not shown

FOLD_AFTER = 12  # labels of a text
SHOWN_TEXTS = 50

_STYLE = """<style>
.bertline { max-width: 46rem; font: 14px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.bertline p { margin: 0 0 .5rem; }
.bertline .soft { opacity: .75; }
.bertline details { padding: .45rem 0; border-top: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.bertline summary { display: grid; grid-template-columns: .6rem minmax(0, 1fr) auto 4.5rem; gap: 0 .8rem;
  cursor: pointer; list-style: none; }
.bertline summary::-webkit-details-marker { display: none; }
.bertline summary::before { content: "▸"; opacity: .75; }
.bertline [open] > summary::before { content: "▾"; }
.bertline .excerpt { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bertline details[open] .excerpt { white-space: pre-wrap; overflow-wrap: anywhere; }
.bertline .best { font-weight: 600; }
.bertline .value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bertline .bars { display: grid; grid-template-columns: fit-content(12rem) minmax(0, 1fr) 4.5rem; gap: .2rem 1rem;
  align-items: center; margin: .5rem 0 .4rem 1.4rem; }
.bertline details .soft { margin-left: 1.4rem; }
.bertline .marked { margin: .5rem 0 .4rem 1.4rem; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; }
.bertline mark { padding: .1rem .35rem; border-radius: 4px; color: inherit;
  background: color-mix(in srgb, #2a8c82 26%, transparent); }
.bertline mark small { margin-left: .4rem; opacity: .75; }
.bertline .name { overflow-wrap: anywhere; }
.bertline .track { height: 6px; overflow: hidden; border-radius: 3px;
  background: color-mix(in srgb, currentColor 14%, transparent); }
.bertline .fill { height: 100%; border-radius: 3px; background: #7b8089; }
.bertline .best .fill, .bertline .fill.best { background: #2a8c82; }
.bertline table { border-collapse: collapse; margin: .25rem 0; font: inherit; color: inherit; }
.bertline table th, .bertline table td { padding: .3rem .9rem .3rem 0; border: 0; text-align: left; background: none;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); white-space: nowrap; }
.bertline table th { font-weight: 600; }
.bertline table .number { text-align: right; font-variant-numeric: tabular-nums; }
</style>"""


def framed(*parts: str) -> str:
    """One output of a cell, with the styles that its parts need."""
    return f'<div class="bertline">{_STYLE}{"".join(parts)}</div>'


def paragraph(text: str, kind: str = "") -> str:
    """A sentence."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def answered(text: str, answer: Answer, *, opened: bool) -> str:
    """One text and its answer on a line, which opens to all of the answer.

    Args:
        text: what was read.
        answer: as JSON.
        opened: show all of it at once.
    """
    show = next((show for field, show in SHOWN.items() if field in answer), _values)
    best, value, body, more = show(text, answer)
    cut = f"{answer['cut_tokens']:,}" if answer["cut_tokens"] else "nothing"
    note = f"{answer['read_tokens']:,} tokens, {cut} cut{more}"
    return (
        f'<details{" open" if opened else ""}><summary><span class="excerpt">{escape(text)}</span>'
        f'<span class="best">{escape(best)}</span><span class="value">{escape(value)}</span></summary>'
        f'{body}<p class="soft">{escape(note)}</p></details>'
    )


def _ranks(_: str, answer: Answer) -> Shown:
    """A bar for each label."""
    shares = answer["probabilities"]
    given = answer.get("labels", [answer["label"]])
    bars = "".join(_bar(one["label"], one["probability"], one["label"] in given) for one in shares[:FOLD_AFTER])
    more = f", {len(shares) - FOLD_AFTER:,} more labels" if len(shares) > FOLD_AFTER else ""
    value = percent(shares[0]["probability"]) if given else ""
    return ", ".join(given) or "no label", value, f'<div class="bars">{bars}</div>', more


def _entities(text: str, answer: Answer) -> Shown:
    """The text with its entities marked."""
    parts, end = [], 0
    for one in answer["entities"]:
        parts.append(escape(text[end : one["start"]]))
        end = one["end"]
        score = escape(f"{one['label']} {percent(one['score'])}", quote=True)
        label = f"<small>{escape(one['label'])}</small>"
        parts.append(f'<mark title="{score}">{escape(text[one["start"] : end])}{label}</mark>')
    number = len(answer["entities"])
    named = f"{number or 'no'} {'entity' if number == 1 else 'entities'}"
    return named, "", f'<p class="marked">{"".join(parts)}{escape(text[end:])}</p>', ""


def _masks(_: str, answer: Answer) -> Shown:
    """A bar for each word, a block for each [MASK]."""
    masks = answer["masks"]
    blocks = (
        "".join(_bar(one["token"], one["probability"], not place) for place, one in enumerate(mask["tokens"]))
        for mask in masks
    )
    body = "".join(f'<div class="bars">{block}</div>' for block in blocks)
    best = [mask["tokens"][0] for mask in masks]
    value = percent(best[0]["probability"]) if len(best) == 1 else ""
    return " · ".join(one["token"] for one in best), value, body, ""


def _number(field: str, _: str, answer: Answer) -> Shown:
    return "", f"{answer[field]:,.4g}", "", ""


def _values(_: str, answer: Answer) -> Shown:
    """Whatever an answer has."""
    rows = ([(name, False), (str(value), False)] for name, value in answer.items())
    return "", "", table(("field", "value"), rows), ""


# By a field that only such answers have.
SHOWN: Mapping[str, Callable[[str, Answer], Shown]] = {
    "probabilities": _ranks,
    "entities": _entities,
    "masks": _masks,
    "number": partial(_number, "number"),
    "score": partial(_number, "score"),
}


def table(columns: Sequence[str], rows: Iterable[Sequence[tuple[str, bool]]]) -> str:
    """A table of cells that are written already; a cell comes with whether it is a number."""
    lines = [list(row) for row in rows]
    numeric = [any(line[place][1] for line in lines) for place in range(len(columns))]
    head = "".join(
        f"<th{_class('number' * one)}>{escape(name)}</th>" for name, one in zip(columns, numeric, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{_class('number' * number)}>{escape(cell)}</td>" for cell, number in line) + "</tr>"
        for line in lines
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bar(label: str, share: float, best: bool) -> str:
    kind = " best" if best else ""
    return (
        f'<span class="name{kind}">{escape(label)}</span>'
        f'<div class="track"><div class="fill{kind}" style="width:{100 * share:.1f}%"></div></div>'
        f'<span class="value{kind}">{percent(share)}</span>'
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
