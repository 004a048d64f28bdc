"""The five aggregation strategies of ``transformers``' token classification pipeline, with its values.

Its answers differ from those of ``answer``: the pipeline takes the most probable label of each piece or word, whether
or not the scheme allows it; it treats a token as a continuation of a word if the token and its characters differ in
length; and it decodes words with the tokenizer. All of this is reproduced, with the same fp32 arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bertline.tasks.tag.windows import Tokens, tokens_of
from bertline.text.reading import Reading
from bertline.text.tokenizer import Tokenizer

Strategy = Literal["none", "simple", "first", "average", "max"]
Array = np.ndarray[Any, Any]
Entry = dict[str, Any]  # of the pipeline's answer


@dataclass(frozen=True, slots=True)
class _Unit:
    word: str
    scores: Array
    start: int
    end: int
    index: int
    continues: bool


def aggregated(
    reading: Reading,
    rows: Sequence[Array],
    labels: Sequence[str],
    tokenizer: Tokenizer,
    strategy: Strategy = "none",
    ignored: Collection[str] = ("O",),
) -> list[Entry]:
    """The answer of the pipeline for one text.

    Args:
        reading: of the text, with offsets.
        rows: logits of its pieces, each [token, label] with special tokens.
        labels: the name of each output.
        tokenizer: of the model.
        strategy: ``aggregation_strategy``.
        ignored: ``ignore_labels``; with a strategy other than none, types.
    """
    tokens = tokens_of(reading)
    logits = tokens.rows(rows)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    units = [*_units(str(reading.input), tokens, powers / powers.sum(axis=-1, keepdims=True), tokenizer)]
    if strategy in ("none", "simple"):
        entries = [_token(unit, labels) for unit in units]
    else:
        entries = [_word(group, labels, tokenizer, strategy) for group in _words(units)]
    if strategy == "none":
        return [entry for entry in entries if entry["entity"] not in ignored]
    return [_entity(group, tokenizer) for group in _groups(entries) if _kind(group) not in ignored]


def _units(text: str, tokens: Tokens, scores: Array, tokenizer: Tokenizer) -> Iterator[_Unit]:
    each = zip(tokens.ids, tokenizer.tokens(tokens.ids.tolist()), tokens.offsets.tolist(), scores, strict=True)
    for index, (id_, token, (start, end), row) in enumerate(each, 1):  # [CLS] has the index 0
        characters = text[start:end]
        if id_ == tokenizer.unknown_id:
            yield _Unit(characters, row, start, end, index, continues=False)
        elif tokenizer.prefix:
            yield _Unit(token, row, start, end, index, continues=len(token) != len(characters))
        else:
            inside = start > 0 and " " not in text[start - 1 : start + 1]
            yield _Unit(token, row, start, end, index, continues=inside)


def _token(unit: _Unit, labels: Sequence[str]) -> Entry:
    best = int(unit.scores.argmax())
    return {
        "entity": labels[best],
        "score": unit.scores[best],
        "index": unit.index,
        "word": unit.word,
        "start": unit.start,
        "end": unit.end,
    }


def _words(units: Sequence[_Unit]) -> list[list[_Unit]]:
    groups: list[list[_Unit]] = []
    for unit in units:
        if groups and unit.continues:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def _word(group: Sequence[_Unit], labels: Sequence[str], tokenizer: Tokenizer, strategy: Strategy) -> Entry:
    if strategy == "first":
        scores = group[0].scores
    elif strategy == "max":
        scores = max(group, key=lambda unit: unit.scores.max()).scores
    else:
        scores = np.mean(np.stack([unit.scores for unit in group]), axis=0)
    best = int(scores.argmax())
    return {
        "entity": labels[best],
        "score": scores[best],
        "word": tokenizer.join([unit.word for unit in group]),
        "start": group[0].start,
        "end": group[-1].end,
    }


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Neighbours of one type, of which none but the first has B-; a label without B- or I- is its own type."""
    groups: list[list[Entry]] = []
    last = ""
    for entry in entries:
        begins, kind = _tag(entry["entity"])
        if groups and kind == last and not begins:
            groups[-1].append(entry)
        else:
            groups.append([entry])
        last = kind
    return groups


def _tag(label: str) -> tuple[bool, str]:
    return label.startswith("B-"), label[2:] if label.startswith(("B-", "I-")) else label


def _kind(group: Sequence[Entry]) -> str:
    return str(group[0]["entity"].split("-", 1)[-1])


def _entity(group: Sequence[Entry], tokenizer: Tokenizer) -> Entry:
    return {
        "entity_group": _kind(group),
        "score": np.mean([entry["score"] for entry in group]),
        "word": tokenizer.join([entry["word"] for entry in group]),
        "start": group[0]["start"],
        "end": group[-1]["end"],
    }
