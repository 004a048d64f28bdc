"""Pairs of texts in requests: two texts that the model reads together."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from bertline.text import Input
from bertline.text.reading import texts_of


class Pair(BaseModel):
    """Two texts that are classified together, named as in ``transformers``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    text_pair: str = Field(description="The second text.")


def input_of(one: str | Pair) -> Input:
    """An entry of a request as input of the core."""
    return one if isinstance(one, str) else (one.text, one.text_pair)


def characters(inputs: Sequence[Input]) -> int:
    """The number of characters of all texts."""
    return sum(len(text) for one in inputs for text in texts_of(one))
