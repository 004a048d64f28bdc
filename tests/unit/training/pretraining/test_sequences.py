"""Sequences are packed: every token once in a pass, no padding, and a position decides what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.training.pretraining.sequences import Sequences

CLS = 1000


def sequences(tokens: int, length: int = 9, seed: int = 0) -> Sequences:
    return Sequences(np.arange(tokens, dtype=np.uint16), length, CLS, seed)


@pytest.mark.parametrize(("tokens", "count", "filled"), [(80, 10, 0), (81, 11, 7), (8, 1, 0), (87, 11, 1)])
def test_a_pass_has_every_token_and_is_filled_up_from_the_beginning(tokens: int, count: int, filled: int) -> None:
    packed = sequences(tokens)
    assert len(packed) == count
    ids = packed.drawn(0, count)
    assert ids.shape == (count, 9)
    assert set(ids[:, 0]) == {CLS}
    times = np.bincount(ids[:, 1:].ravel(), minlength=tokens)
    assert times.min() == 1
    assert (times - 1).sum() == filled


def test_what_is_drawn_follows_from_the_position_across_passes() -> None:
    whole = sequences(83).drawn(0, 40)
    again = sequences(83)
    parts = [again.drawn(start, 8) for start in (32, 8, 0, 24, 16)]
    assert np.array_equal(np.concatenate([parts[2], parts[1], parts[4], parts[3], parts[0]]), whole)
    assert not np.array_equal(sequences(83, seed=1).drawn(0, 40), whole)


def test_passes_cut_texts_at_other_places() -> None:
    packed = sequences(800)
    first, second = (packed.drawn(number * len(packed), len(packed)) for number in (0, 1))
    assert not set(first[:, 1] % 8) & set(second[:, 1] % 8)


def test_a_stream_shorter_than_a_sequence_is_one_short_sequence() -> None:
    packed = sequences(5)
    assert packed.length == 6
    assert sorted(packed.drawn(0, 1)[0].tolist()) == [0, 1, 2, 3, 4, CLS]
