"""The words that a request chooses from, as entries of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bertline.errors import UsageError

if TYPE_CHECKING:
    from bertline.text import Tokenizer


def entries_of(targets: Sequence[str], tokenizer: Tokenizer) -> dict[int, tuple[str, ...]]:
    """The ids of the targets, each with the targets that it stands for.

    A target that is not in the vocabulary is represented by its first piece, as in ``transformers``.

    Raises:
        UsageError: there is no target, or nothing of one can be read.
    """
    if not targets:
        raise UsageError("targets is empty: give at least one word, or leave it out")
    by_id: dict[int, tuple[str, ...]] = {}
    for place, (target, encoded) in enumerate(zip(targets, tokenizer.encode_whole(targets), strict=True)):
        id_ = tokenizer.id_of(target)
        if id_ is None and not encoded.ids:
            raise UsageError(f"targets[{place}] has no token of the vocabulary: leave it out")
        own = encoded.ids[0] if id_ is None else id_
        by_id[own] = (*by_id.get(own, ()), target)
    return by_id
