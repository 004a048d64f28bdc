"""What a bundle says about a tagger, and how a table's entities become targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from bertline.data.entities import Entity
from bertline.errors import DataError
from bertline.tasks.contract import Label, TaskSpec
from bertline.tasks.tag.alignment import UNLABELLED, Integers, Pieces
from bertline.tasks.tag.scheme import Name, Scheme
from bertline.tasks.tag.windows import tokens_of
from bertline.text.reading import Reading


class Spec(TaskSpec):
    """A tagger.

    Attributes:
        types: of entities, in the order of the head's outputs.
        scheme: how labels spell entities.
        label_all: whether every piece of a word has a label; otherwise only its first piece has one.
    """

    task: Literal["tag"] = "tag"
    reads: Literal["text"] = "text"
    types: tuple[Label, ...] = Field(min_length=1)
    scheme: Name = "BIO"
    label_all: bool = False

    @field_validator("types")
    @classmethod
    def _different(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        if len({*types}) < len(types):
            raise ValueError("two types are the same")
        return types

    @property
    def output(self) -> str:
        """The logits of each token."""
        return "tags"

    @property
    def offsets(self) -> bool:
        """Entities are characters."""
        return True

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each output of the head."""
        return self.spelling.labels

    @property
    def spelling(self) -> Scheme:
        """The labels and what may follow what."""
        return Scheme(self.scheme, self.types)

    @classmethod
    def of(
        cls, source: str, targets: Sequence[Sequence[Entity]], *, scheme: Name = "BIO", label_all: bool = False
    ) -> Spec:
        """The spec of a tagger for all the entities in a table.

        Raises:
            DataError: there are no entities.
        """
        types = sorted({one.label for entities in targets for one in entities})
        if not types:
            raise DataError(f"{source} has no entities: give texts of which some have entities")
        return cls(types=tuple(types), scheme=scheme, label_all=label_all)

    def pieces(self, reading: Reading) -> Pieces:
        """The tokens of a text that was read with offsets, and which of them have labels."""
        return Pieces(str(reading.input), tokens_of(reading), self.label_all)

    def targets(self, entities: Sequence[Entity], reading: Reading) -> list[Integers]:
        """The target of each piece of a reading, [token] with special tokens; ``UNLABELLED`` where there is no label.

        An entity that crosses a window's edge goes on in the next window, which may therefore begin with I-.
        """
        whole = self.pieces(reading)
        by_place = np.full(whole.tokens.total + 1, UNLABELLED, dtype=np.int64)  # the last one is for special tokens
        by_place[whole.tokens.places] = whole.targets(entities, self.spelling)
        return [by_place[np.array(piece.places)] for piece in reading.pieces]
