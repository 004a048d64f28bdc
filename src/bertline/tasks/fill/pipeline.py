"""The answers of ``transformers.pipeline("fill-mask")``: equal to it, without the bundle's temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertline.tasks.fill.answer import Candidate, Slot, candidates, slots
from bertline.tasks.fill.spec import Spec
from bertline.text import Reading

Array = np.ndarray[Any, Any]
Entry = dict[str, object]


def entries(spec: Spec, reading: Reading, rows: Sequence[Array]) -> list[Entry] | list[list[Entry]]:
    """The words for the [MASK] of a text; for several, a list for each, whose sequences keep the special tokens.

    Args:
        spec: of the request, with its tokenizer.
        reading: with offsets. Of a text in windows, a sequence is the window that the [MASK] was read in.
        rows: of each piece, the scores of the vocabulary, [masked, vocabulary].
    """
    own, scores = slots(reading, rows)
    words = candidates(spec.model_copy(update={"temperature": 1.0}), scores)
    each = [
        [_entry(spec, reading, slot, one, single=len(own) == 1) for one in some]
        for slot, some in zip(own, words, strict=True)
    ]
    return each[0] if len(each) == 1 else each


def _entry(spec: Spec, reading: Reading, slot: Slot, word: Candidate, *, single: bool) -> Entry:
    ids = list(reading.pieces[slot.piece].ids)
    ids[slot.index] = word.id
    tokenizer = spec.tokenizer
    sequence = tokenizer.decode([id_ for id_ in ids if id_ != tokenizer.pad_id], skip_special_tokens=single)
    entry: Entry = {"score": word.probability, "token": word.id, "token_str": word.token, "sequence": sequence}
    return {**entry, "targets": [*word.targets]} if word.targets else entry
