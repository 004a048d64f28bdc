"""Every code point, a million random strings and the real data sets have the ids of transformers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import pytest
from transformers import BertTokenizerFast

from bertline.encoder.source import find_model
from bertline.text import Tokenizer
from examples import reuters, rotten_tomatoes, wnut16

pytestmark = [pytest.mark.peer, pytest.mark.drill]

MODEL = find_model("all-MiniLM-L6-v2")
OURS = Tokenizer.from_directory(MODEL)
THEIRS = BertTokenizerFast.from_pretrained(MODEL).backend_tokenizer
THEIRS.no_truncation()
THEIRS.no_padding()
SURROGATES = range(0xD800, 0xE000)
AT_ONCE = 20_000


def differing(texts: Iterable[str]) -> tuple[int, list[str]]:
    """How many texts were compared, and those whose ids differ."""
    left, compared, bad = iter(texts), 0, list[str]()
    while some := list(islice(left, AT_ONCE)):
        theirs = [one.ids for one in THEIRS.encode_batch_fast(some, add_special_tokens=False)]
        ours = [one.ids for one in OURS.encode_whole(some)]
        bad += [text for text, a, b in zip(some, ours, theirs, strict=True) if a != b]
        compared += len(some)
    return compared, bad


@pytest.mark.parametrize("shape", ["{0}", "a{0}b", "{0}{0}"], ids=["alone", "between letters", "doubled"])
def test_every_code_point(shape: str) -> None:
    points = (shape.format(chr(one)) for one in range(sys.maxunicode + 1) if one not in SURROGATES)
    assert differing(points) == (0x110000 - len(SURROGATES), [])


def test_a_million_random_strings() -> None:
    def strings() -> Iterator[str]:
        draw = random.Random(0)
        common = "abcdefgh ABCXYZ.,!?'-#[]()0123456789\t\n\u00a0\u200b\u0301éüßçñ中文かな한🎬\ufffd"
        for _ in range(1_000_000):
            yield "".join(
                draw.choice(common) if draw.random() < 0.8 else chr(draw.choice((draw.randrange(0xD800), 0x1F600)))
                for _ in range(draw.randrange(1, 16))
            )

    assert differing(strings()) == (1_000_000, [])


def test_the_real_data_sets() -> None:
    reviews = [text for text, _ in rotten_tomatoes.imdb_reviews()]
    topics = [text for part in ("train", "test") for text, _ in reuters.stories(part)]
    assert differing(reviews) == (25_000, [])
    assert differing(topics) == (7_674, [])
    assert differing(wnut16.tweets()) == (2_394, [])
