"""The comparison of a gate as Markdown, for the pull request that brings the challenger.

Names of models, tables and labels come from whoever opened it, so nothing of them is markup: no link, no mention, no
HTML.
"""

from __future__ import annotations

import html
import re

from bertline.lifecycle.gate.check import Check
from bertline.lifecycle.gate.run import Gated

MARK = "<!-- bertline gate -->"  # by which a later comparison finds the one that it replaces
_HEADLINES = {
    "yes": "may be promoted",
    "no": "may not be promoted",
    "undecided": "cannot be judged yet",
}
_SAYS = {"yes": "yes", "no": "**no**", "undecided": "*undecided*"}
_MARKUP = re.compile(r"[\\`*_\[\]{}#|~!@:]")


def markdown(found: Gated) -> str:
    """The comparison: who was judged against whom, and what every check says.

    Args:
        found: what the gate decided.
    """
    against = "" if found.champion is None else f" in place of {_plain(found.champion.title)}"
    rows = "; ".join(f"{_plain(name)}: {one['rows']:,} rows" for name, one in found.fingerprints.items())
    lines = [
        MARK,
        f"### {_plain(found.challenger.title)} {_HEADLINES[found.decision]}{against}",
        "",
        rows,
        "",
        "| check | says | |",
        "| --- | --- | --- |",
        *(_row(one) for one in found.checks),
    ]
    return "\n".join(lines) + "\n"


def _row(one: Check) -> str:
    return f"| {_plain(one.name)} | {_SAYS[one.decision]} | {_plain(one.sentence)} |"


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line.

    >>> _plain("a|b <i> @all")
    'a&#124;b &lt;i&gt; &#64;all'
    """
    escaped = html.escape(" ".join(text.split()), quote=False)
    return _MARKUP.sub(lambda one: f"&#{ord(one[0])};", escaped.replace("&", "\0")).replace("\0", "&")
