"""What a bundle says about a masked language model, and which words its answers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from bertline.data.settings import TaskSettings
from bertline.data.target_kinds import TargetKind
from bertline.errors import SettingsError, UsageError
from bertline.tasks.contract import TaskSpec
from bertline.tasks.fill.hidden import Read, hidden
from bertline.tasks.fill.targets import entries_of
from bertline.text.reading import Input, Reading

if TYPE_CHECKING:
    from bertline.text import Tokenizer

Targets = Mapping[int, tuple[str, ...]]

TOP_K = 5
MOST_TOP_K = 1000
NOT_TRAINED = (
    "the task fill has no labelled table: pre-train a masked language model on texts, and bertline models import makes "
    "a bundle of it"
)


def lacks(mask: str) -> str:
    """What is wrong with a text that has no [MASK]."""
    return f"has no {mask}: write {mask} where a word is to be filled in"


class Spec(TaskSpec):
    """A masked language model.

    Attributes:
        top_k: number of words for each [MASK].
    """

    task: Literal["fill"] = "fill"
    reads: Literal["text"] = "text"
    top_k: Annotated[int, Field(ge=1, le=MOST_TOP_K)] = TOP_K
    _tokenizer: Tokenizer | None = PrivateAttr(None)
    _targets: Targets | None = PrivateAttr(None)

    @classmethod
    def kind_to_learn(cls, settings: TaskSettings) -> TargetKind:
        """No table has what it learns.

        Raises:
            SettingsError: always.
        """
        raise SettingsError(NOT_TRAINED)

    @property
    def kind(self) -> TargetKind:
        """No table has what it is measured by.

        Raises:
            SettingsError: always.
        """
        raise SettingsError(NOT_TRAINED)

    def self_supervised(self, texts: Sequence[Input], read: Read) -> tuple[list[Reading], list[Any]] | None:
        """Texts with some of their tokens hidden, which are the targets."""
        return hidden(texts, read, self.tokenizer.mask_id)

    @property
    def output(self) -> str:
        """Scores of the vocabulary for each [MASK]."""
        return "vocabulary"

    @property
    def labels(self) -> tuple[str, ...]:
        """None: the outputs of the head are the vocabulary."""
        return ()

    @property
    def offsets(self) -> bool:
        """A [MASK] is replaced in the raw text."""
        return True

    @property
    def tokenizer(self) -> Tokenizer:
        """The bundle's.

        Raises:
            ValueError: the spec was not given one (``with_tokenizer``).
        """
        if self._tokenizer is None:
            raise ValueError("a spec of the task fill needs its tokenizer: use with_tokenizer")
        return self._tokenizer

    @property
    def targets(self) -> Targets | None:
        """The entries of the vocabulary to choose from, by id, each with the requested words; None is all of them."""
        return self._targets

    @property
    def required(self) -> str:
        """[MASK]."""
        return self.tokenizer.mask

    @property
    def chooses(self) -> bool:
        """A request has its own ``top_k`` and ``targets``."""
        return True

    def with_tokenizer(self, tokenizer: Tokenizer) -> Spec:
        """The spec with the tokenizer that its answers are spelt with."""
        return self._with(tokenizer, self._targets)

    def choosing(self, top_k: int | None = None, targets: Sequence[str] | None = None) -> Spec:
        """The spec of one request.

        Raises:
            UsageError: ``top_k`` is out of its range, or ``targets`` as ``entries_of``.
        """
        if top_k is not None and not 1 <= top_k <= MOST_TOP_K:
            raise UsageError(f"top_k is {top_k:,}: give a number from 1 to {MOST_TOP_K:,}")
        own = self if top_k is None else self.model_copy(update={"top_k": top_k})
        return own if targets is None else own._with(own.tokenizer, entries_of(targets, own.tokenizer))

    def fault(self, reading: Reading) -> str | None:
        """What is wrong with a text that has no [MASK], or none that was read."""
        if any(piece.masked for piece in reading.pieces):
            return None
        mask = self.required
        if mask not in str(reading.input):
            return lacks(mask)
        return (
            f"has {mask} only among the {reading.cut:,} tokens that truncation leaves out: shorten it, or read it in "
            "windows"
        )

    def _with(self, tokenizer: Tokenizer, targets: Targets | None) -> Spec:
        own = self.model_copy()
        own._tokenizer, own._targets = tokenizer, targets
        return own
