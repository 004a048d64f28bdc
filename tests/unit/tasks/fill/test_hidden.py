"""Tokens hidden in texts: which, how many, and that they are the truth."""

from __future__ import annotations

from bertline.tasks.fill.hidden import MOST, SHARE, hidden
from bertline.testing.tiny import random_texts, tiny_tokenizer
from bertline.text import Reader, Reading, Truncation

TOKENIZER = tiny_tokenizer()
READER = Reader(TOKENIZER, Truncation(16, "window"), offsets=True)


def whole(reading: Reading) -> dict[int, int]:
    """Id by place."""
    return {place: id_ for one in reading.pieces for place, id_ in zip(one.places or (), one.ids, strict=True)}


def test_hidden_tokens_are_the_truth_also_where_windows_overlap() -> None:
    rows, truth = hidden(random_texts(40, seed=3), READER.read, TOKENIZER.mask_id)
    assert any(len(one.pieces) > 1 for one in rows)
    for row, ids in zip(rows, truth, strict=True):
        before, after = (whole(one) for one in (READER.read([row.input])[0], row))
        places = [place for place in sorted(before) if place >= 0 and before[place] != after[place]]
        assert [before[place] for place in places] == ids
        assert len(ids) == max(1, round(SHARE * len([place for place in before if place >= 0])))
        for piece in row.pieces:
            assert [*piece.masked] == [i for i, id_ in enumerate(piece.ids) if id_ == TOKENIZER.mask_id]


def test_the_same_texts_give_the_same_rows_in_a_random_order() -> None:
    texts = random_texts(40, seed=3)
    first, again = (hidden(texts, READER.read, TOKENIZER.mask_id) for _ in range(2))
    assert first == again
    assert [one.input for one in first[0]] != texts


def test_texts_without_tokens_and_with_masks_are_left_out() -> None:
    rows, _ = hidden(["", "it [MASK]", "it is"], READER.read, TOKENIZER.mask_id)
    assert [one.input for one in rows] == ["it is"]


def test_there_are_not_many_more_than_memory_is_meant_for() -> None:
    _, truth = hidden(["it is"] * 2 * MOST, READER.read, TOKENIZER.mask_id)
    assert MOST <= sum(map(len, truth)) < MOST + 64
