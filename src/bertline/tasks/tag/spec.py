"""What a bundle says about a tagger, and how a table's entities become targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from bertline.data.examples import Dataset
from bertline.data.settings import TaskSettings
from bertline.data.target_kinds import Entities, TargetKind
from bertline.data.targets import Target, entities_in, names_of
from bertline.errors import SettingsError
from bertline.tasks.contract import Array, Label, TaskSpec
from bertline.tasks.tag.alignment import UNLABELLED, Pieces
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

    # With a classifier's 3 epochs at 1e-4, a tagger of 1,700 tweets has no entity after the first (docs/log.md). Its F1
    # still rises while the rate decays, so it is not stopped early.
    training_defaults: ClassVar[Mapping[str, int | float]] = {"epochs": 10, "patience": 10, "lr": 3e-4}

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
        """The labels and their allowed transitions."""
        return Scheme(self.scheme, self.types)

    @classmethod
    def kind_to_learn(cls, settings: TaskSettings) -> TargetKind:
        """Entities of single texts."""
        if settings.text_pair_column is not None:
            raise SettingsError("text_pair_column is set, but tag reads single texts: leave it out")
        return Entities()

    @classmethod
    def of(cls, dataset: Dataset, settings: TaskSettings) -> Spec:
        """A spec with the types of all the entities in a table."""
        types = sorted({name for target in dataset.targets for name in names_of(target)})
        return cls(types=tuple(types), scheme=settings.scheme, label_all=settings.label_all_pieces)

    @property
    def kind(self) -> TargetKind:
        """Entities."""
        return Entities()

    @property
    def names(self) -> tuple[str, ...]:
        """The types."""
        return self.types

    def counted(self, answers: Sequence[Any]) -> list[tuple[str, float]]:
        """The type and score of each entity."""
        return [(one.entity.label, one.score) for each in answers for one in each.entities]

    def pieces(self, reading: Reading) -> Pieces:
        """The tokens of a text that was read with offsets, and which of them have labels."""
        text = str(reading.input)
        return Pieces(text, tokens_of(reading).visible(text), self.label_all)

    def arrays(self, target: Target, reading: Reading) -> list[Array]:
        """The label of each token of each piece, [token] with special tokens; ``UNLABELLED`` where there is none.

        An entity that crosses a window's edge goes on in the next window, which may therefore begin with I-.
        """
        whole = self.pieces(reading)
        size = 2 + max(max(piece.places or [-1]) for piece in reading.pieces)  # the last one is for special tokens
        by_place = np.full(size, UNLABELLED, dtype=np.int64)
        by_place[whole.tokens.places] = whole.targets(entities_in(target), self.spelling)
        return [by_place[np.array(piece.places)] for piece in reading.pieces]

    def notes(self, targets: Sequence[Target], readings: Sequence[Reading]) -> list[tuple[str, str]]:
        """Entities that word labels cannot represent."""
        each = zip(targets, readings, strict=True)
        misfits = sum(len(self.pieces(reading).misfits(entities_in(target))) for target, reading in each)
        if not misfits:
            return []
        total = sum(len(names_of(target)) for target in targets)
        what = "begin or end inside a word or share one: the model learns other characters, or nothing, for them"
        return [("Entities that are not whole words", f"{misfits:,} of {total:,} {what}")]
