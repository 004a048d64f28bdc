"""One text and its answer as lines: JSON, columns between tabs, or for a person at a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rich.cells import cell_len, set_cell_size

from bertline.inference import Prediction, Predictor
from bertline.inference.requested import DEFAULT, Top, top_of
from bertline.statistics.figures import percent
from bertline.tasks.contract import Answer
from bertline.tasks.embed.answer import Answer as Embedding
from bertline.tasks.fill.answer import Answer as Filled
from bertline.tasks.fill.answer import Candidate
from bertline.tasks.rank.answer import Score
from bertline.tasks.tag.answer import Answer as Entities
from bertline.text.reading import Input, texts_of

WIDEST_LABEL = 32  # cells of a terminal
NARROWEST_TEXT = 20
DIGITS = 6  # of a probability
SHOWN_DIMENSIONS = 4
SHARES = ("probability", "score")

Layout = Callable[[Input, Any], str]


def layout_of(predictor: Predictor, top_k: int | None, *, as_json: bool, echo: bool) -> Layout:
    """How a text and its answer are written.

    Args:
        predictor: answers.
        top_k: labels per text; None is 1, or all in JSON.
        as_json: JSON lines.
        echo: on a terminal, with the text.

    Raises:
        UsageError: as ``top_of``.
    """
    top = top_of(predictor, top_k)
    if as_json:
        return partial(json_line, top=top)
    if not sys.stdout.isatty():
        return partial(tab_line, top=top)
    screen: Layout = SCREENS.get(predictor.spec.task, screen_line)
    if predictor.spec.ranked:
        screen = partial(rank_lines, top=top, label_width=min(WIDEST_LABEL, max(map(cell_len, predictor.labels))))
    return partial(fitted, screen, shutil.get_terminal_size().columns if echo else 0)


def json_line(text: Input, answer: Answer, top: Top = DEFAULT) -> str:
    """One object: the text or the two of a pair, and the answer as the service gives it."""
    texts = dict(zip(("text", "text_pair"), texts_of(text), strict=False))
    return json.dumps({**texts, **_rounded(answer.to_json(**top))}, ensure_ascii=False)


def tab_line(text: Input, answer: Answer, top: Top = DEFAULT) -> str:
    """The columns of the answer, as in a table, then the text or both of a pair, with tabs between them."""
    return "\t".join([*map(_written, answer.columns(**top).values()), *map(_plain, texts_of(text))])


def fitted(screen: Layout, line_width: int, text: Input, answer: Answer) -> str:
    """The lines for a terminal, with what was cut; and as much of the text as fits behind the first."""
    first, *more = screen(text, answer).split("\n")
    if answer.cut_tokens:
        first += f"  ({answer.cut_tokens:,} tokens cut)"
    if line_width:
        cells = max(line_width - cell_len(first) - 2, NARROWEST_TEXT)
        first += f"  {_shortened(_plain(' · '.join(texts_of(text))), cells)}"
    return "\n".join([first, *more])


def screen_line(text: Input, answer: Answer) -> str:
    """The columns of an answer."""
    return "  ".join(map(_written, answer.columns().values()))


def rank_lines(text: Input, answer: Prediction, top: Top, label_width: int) -> str:
    """A line for each label: as many as were asked for, or those that the text gets."""
    ranks = answer.top(top["top_k"]) if top else answer.chosen
    return "\n".join(_share(label, share, label_width) for label, share in ranks) or "no label"


def entity_lines(text: Input, answer: Entities) -> str:
    """How many there are, and each with its score and characters."""
    width = min(WIDEST_LABEL, max((cell_len(one.entity.label) for one in answer.entities), default=0))
    entities = (f"  {_share(one.entity.label, one.score, width)}  {_plain(one.text)}" for one in answer.entities)
    number = len(answer.entities)
    return "\n".join([f"{number or 'no'} {'entity' if number == 1 else 'entities'}", *entities])


def mask_lines(text: Input, answer: Filled) -> str:
    """The first word for each [MASK], and below it all of them."""
    words = [one for mask in answer.masks for one in mask.candidates]
    width = min(WIDEST_LABEL, max((cell_len(one.token) for one in words), default=0))
    first = " · ".join(_plain(mask.candidates[0].token) for mask in answer.masks)
    blocks = (
        "\n".join(f"  {_share(one.token, one.probability, width)}{_stands_for(one)}" for one in mask.candidates)
        for mask in answer.masks
    )
    return "\n".join([first, "\n\n".join(blocks)])


def vector_line(text: Input, answer: Embedding) -> str:
    """How long the embedding is, and its beginning."""
    shown = "  ".join(f"{one:7.4f}" for one in answer.embedding[:SHOWN_DIMENSIONS])
    return f"{len(answer.embedding)} dimensions  {shown} …"


def score_line(text: Input, answer: Score) -> str:
    """How relevant the text is."""
    return f"{answer.score:.4f}"


def _stands_for(word: Candidate) -> str:
    """The requested words that a token stands for, if it is none of them itself."""
    return f"  (for {', '.join(map(_plain, word.targets))})" if word.targets else ""


# By task; others have ``screen_line``.
SCREENS: Mapping[str, Layout] = {"embed": vector_line, "fill": mask_lines, "rank": score_line, "tag": entity_lines}


def _rounded(value: Any) -> Any:
    """Probabilities and scores to six digits, wherever they are; other numbers keep all of theirs."""
    if isinstance(value, Mapping):
        return {key: round(one, DIGITS) if key in SHARES else _rounded(one) for key, one in value.items()}
    return [*map(_rounded, value)] if isinstance(value, list) else value


def _share(label: str, share: float, width: int) -> str:
    return f"{set_cell_size(_plain(label), width)}  {percent(share):>7}"


def _written(value: object) -> str:
    """A value of a column; probabilities have been rounded, and any other number keeps all its digits."""
    if isinstance(value, float):
        return f"{value:.{DIGITS}f}" if round(value, DIGITS) == value else repr(value)
    return _plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _shortened(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def _plain(text: str) -> str:
    """On one line, without tabs and without anything that could command a terminal."""
    return "".join(one if one.isprintable() else " " for one in text)
