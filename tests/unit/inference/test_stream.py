from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest

from bertline.inference import Prediction, predict_stream


class Echo:
    """A predictor whose answer is the text; remembers its windows."""

    def __init__(self) -> None:
        self.windows: list[list[str]] = []

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self.windows.append(list(texts))
        return [Prediction(text, {text: 1.0}, read_tokens=2, cut_tokens=0) for text in texts]


def test_order_is_preserved_and_each_texts_extras_come_back() -> None:
    texts = [f"text {i}" for i in range(1000)]
    answers = list(predict_stream(Echo().predict, ((text, i) for i, text in enumerate(texts)), window_rows=300))
    assert [carried for carried, _ in answers] == list(range(1000))
    assert [prediction.label for _, prediction in answers] == texts


def test_nothing_gives_nothing() -> None:
    predictor = Echo()
    assert list(predict_stream(predictor.predict, [])) == []
    assert predictor.windows == []


def test_windows_grow_up_to_the_limit() -> None:
    predictor = Echo()
    list(predict_stream(predictor.predict, ((str(i), None) for i in range(1000)), window_rows=300))
    assert [len(window) for window in predictor.windows] == [64, 128, 256, 300, 252]


@pytest.mark.parametrize(("characters", "windows"), [(10, [2, 2, 1]), (3, [1] * 5), (10**6, [5])])
def test_a_window_of_long_texts_ends_early(characters: int, windows: list[int]) -> None:
    predictor = Echo()
    list(predict_stream(predictor.predict, [("12345", None)] * 5, window_characters=characters))
    assert [len(window) for window in predictor.windows] == windows


def test_rows_without_end_are_read_one_window_at_a_time() -> None:
    pulled = itertools.count()

    def endless() -> Iterator[tuple[str, int]]:
        for number in pulled:
            yield str(number), number

    answers = predict_stream(Echo().predict, endless(), window_rows=10)
    assert [carried for carried, _ in itertools.islice(answers, 25)] == list(range(25))
    assert next(pulled) <= 31 + 1
