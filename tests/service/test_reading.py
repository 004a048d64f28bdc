"""Texts to ids beside the event loop: lots, policies, and that nobody gets another one's error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bertline.serving import reader
from bertline.serving.reader import BackgroundReader
from bertline.testing.words import ID, word_tokenizer
from bertline.text import Piece, Policy, Reading, Tokenizer, Truncation
from bertline.text.tokenizer import Encoded

CLS, SEP, UNK, GOOD, BAD = (ID[word] for word in ("[CLS]", "[SEP]", "[UNK]", "good", "bad"))
HEAD = Truncation(8, "head")
Story = Callable[[BackgroundReader], Coroutine[Any, Any, None]]


class Watched:
    """A tokenizer that keeps the lots it was given; ``gate`` holds it, ``entered`` says that it was asked."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.lots: list[list[str]] = []
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.cls_id, self.sep_id, self.mask_id = tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id
        self.separators, self.second_segment = tokenizer.separators, tokenizer.second_segment

    def encode_whole(self, texts: Sequence[str], *, offsets: bool = False) -> list[Encoded]:
        self.lots.append(list(texts))
        self.entered.set()
        assert self.gate.wait(timeout=30)
        if "panic" in texts:
            raise Panic
        if "fail" in texts:
            raise ValueError("fail")
        return self._tokenizer.encode_whole(texts, offsets=offsets)


class Panic(BaseException):
    """As the library's own, which is no ``Exception``."""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(reader, "SHORT_CHARS", 0)  # every text is read beside the loop
    return Watched(word_tokenizer())


def told(watched: Watched, story: Story) -> None:
    async def all_of_it() -> None:
        with ThreadPoolExecutor(1) as executor:
            await story(BackgroundReader(watched, executor))  # type: ignore[arg-type]

    asyncio.run(all_of_it())


@pytest.mark.parametrize(
    ("policy", "pieces", "read", "cut"),
    [
        ("head", [[CLS, GOOD, GOOD, GOOD, GOOD, SEP]], 6, 4),
        ("tail", [[CLS, BAD, BAD, BAD, BAD, SEP]], 6, 4),
        ("head_tail", [[CLS, GOOD, BAD, BAD, BAD, SEP]], 6, 4),
        ("error", [[CLS, GOOD, BAD, BAD, BAD, SEP]], 6, 4),
        (
            "window",
            [[CLS, GOOD, GOOD, GOOD, GOOD, SEP], [CLS, GOOD, BAD, BAD, BAD, SEP], [CLS, BAD, BAD, BAD, BAD, SEP]],
            *(10, 0),
        ),
    ],
)
def test_the_tokens_read_of_an_overlong_text(
    watched: Watched, policy: Policy, pieces: list[list[int]], read: int, cut: int
) -> None:
    async def story(reading: BackgroundReader) -> None:
        long, short = await reading.read(["good good good good bad bad bad bad", "good film"], Truncation(6, policy))
        assert ([piece.ids for piece in long.pieces], long.read, long.cut) == (pieces, read, cut)
        assert short == Reading([Piece([CLS, GOOD, UNK, SEP])], 4)

    told(watched, story)


def test_while_a_lot_is_read_the_next_one_gathers(watched: Watched) -> None:
    async def story(reading: BackgroundReader) -> None:
        watched.gate.clear()
        first = asyncio.create_task(reading.read(["good"], HEAD))
        await asyncio.to_thread(watched.entered.wait, 30)
        asked: list[tuple[Policy, int]] = [("head", 8), ("tail", 4), ("window", 6)]
        others = [
            asyncio.create_task(reading.read([f"bad {word}" for word in "ab"], Truncation(most, policy)))
            for policy, most in asked
        ]
        await asyncio.sleep(0)
        assert watched.lots == [["good"]]
        watched.gate.set()
        assert await first == [Reading([Piece([CLS, GOOD, SEP])], 3)]
        found = await asyncio.gather(*others)
        assert watched.lots == [["good"], ["bad a", "bad b"] * 3]
        assert found == [[Reading([Piece([CLS, BAD, UNK, SEP])], 4)] * 2] * 3

    told(watched, story)


def test_a_request_that_has_left_is_not_read(watched: Watched) -> None:
    async def story(reading: BackgroundReader) -> None:
        watched.gate.clear()
        first = asyncio.create_task(reading.read(["good"], HEAD))
        await asyncio.to_thread(watched.entered.wait, 30)
        leaving, staying = (asyncio.create_task(reading.read([word], HEAD)) for word in ("leaving", "staying"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        watched.gate.set()
        await asyncio.gather(first, staying)
        assert watched.lots == [["good"], ["staying"]]

    told(watched, story)


@pytest.mark.parametrize(("word", "kind"), [("fail", ValueError), ("panic", RuntimeError)])
def test_of_a_lot_that_cannot_be_read_only_the_one_at_fault_gets_the_error(
    watched: Watched, word: str, kind: type[Exception]
) -> None:
    async def story(reading: BackgroundReader) -> None:
        watched.gate.clear()
        asked = [asyncio.create_task(reading.read(["first"], HEAD))]
        await asyncio.to_thread(watched.entered.wait, 30)
        asked += [asyncio.create_task(reading.read([one], HEAD)) for one in ("good", word, "bad")]
        await asyncio.sleep(0)
        watched.gate.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in found] == [list, list, kind, list]
        assert found[3] == [Reading([Piece([CLS, BAD, SEP])], 3)]
        assert await reading.read(["good"], HEAD) == [Reading([Piece([CLS, GOOD, SEP])], 3)]  # and it goes on

    told(watched, story)


@pytest.mark.parametrize(("word", "kind"), [("fail", ValueError), ("panic", RuntimeError)])
def test_a_short_text_is_read_on_the_loop_with_the_same_errors(word: str, kind: type[Exception]) -> None:
    watched = Watched(word_tokenizer())

    async def story(reading: BackgroundReader) -> None:
        assert await reading.read(["good"], HEAD) == [Reading([Piece([CLS, GOOD, SEP])], 3)]
        with pytest.raises(kind):
            await reading.read([word], HEAD)
        assert await reading.read(["bad"], HEAD) == [Reading([Piece([CLS, BAD, SEP])], 3)]

    told(watched, story)
    assert watched.lots == [["good"], [word], ["bad"]]
