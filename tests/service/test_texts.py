"""What a text must be, and what the request calls it."""

from __future__ import annotations

import pytest

from bertline.service import ServeSettings
from bertline.serving.problems import Code, Problem
from bertline.serving.texts import check_texts, place_of

SETTINGS = ServeSettings(max_batch_texts=3, max_chars=20)


@pytest.mark.parametrize("text", ["", " ", "a", "x" * 20, "🙂" * 20, "\x00", "é", "\ue000", "a\u2028b", "\ufffd"])
def test_a_text_that_is_taken(text: str) -> None:
    check_texts([text], SETTINGS, "text")
    check_texts([text] * 3, SETTINGS, "texts")


@pytest.mark.parametrize(
    ("texts", "code", "message"),
    [
        ([], Code.EMPTY_TEXT, "input is an empty list: send at least one text."),
        (["x" * 21], Code.TEXT_TOO_LONG, "input has 21 characters and the limit is 20: send a part of it."),
        (["a", "🙂" * 21], Code.TEXT_TOO_LONG, "input[1] has 21 characters and the limit is 20: send a part of it."),
        (["a"] * 4, Code.TOO_MANY_TEXTS, "input has 4 texts and the limit is 3: send them in several requests."),
        (["a\udfffb"], Code.INVALID_TEXT, "input has half a surrogate pair at character 1: send whole characters."),
        (["a", "\ud83d"], Code.INVALID_TEXT, "input[1] has half a surrogate pair at character 0: send whole characte"),
    ],
)
def test_the_first_thing_that_is_wrong_is_named_in_the_requests_own_words(
    texts: list[str], code: Code, message: str
) -> None:
    with pytest.raises(Problem) as caught:
        check_texts(texts, SETTINGS, "input")
    assert caught.value.code == code
    assert caught.value.message.startswith(message)
    assert caught.value.field == message.split(" ")[0]


@pytest.mark.parametrize(
    ("field", "place", "number", "name"),
    [("text", 0, 1, "text"), ("texts", 0, 1, "texts[0]"), ("input", 0, 1, "input"), ("input", 1, 2, "input[1]")],
)
def test_a_list_of_one_is_a_list_where_its_name_is_a_plural(field: str, place: int, number: int, name: str) -> None:
    assert place_of(field, place, number) == name
