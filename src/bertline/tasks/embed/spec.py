"""What a bundle says of an embedder, and how a table's rows become targets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from bertline.data.examples import Dataset
from bertline.data.settings import TaskSettings
from bertline.data.target_kinds import Alike, TargetKind
from bertline.data.targets import Target
from bertline.errors import UsageError
from bertline.tasks.contract import Array, TaskSpec
from bertline.text.reading import Input, Reading, texts_of

LEAST_WORDS, MOST_PAIRS = 8, 5000  # of a text that is cut in halves, and of these
Read = Callable[[Sequence[Input]], list[Reading]]
ANCHOR, POSITIVE, NEGATIVE, MEMBER = range(4)  # the role of a text in its row; a member, where rows have labels


class Spec(TaskSpec):
    """An embedder.

    Attributes:
        normalised: whether an embedding is divided by its length, so that a dot product is the cosine.
        dimensions: shorter lengths that its embeddings may be cut to, because it was trained for them (Matryoshka
            representation learning, Kusupati et al. 2022); the longest first.
        highest: the largest size of a score in the training rows, and at least 1; a cosine learns score ÷ highest.
    """

    training_defaults: ClassVar[Mapping[str, int | float]] = {"batch_tokens": 4096}

    task: Literal["embed"] = "embed"
    reads: Literal["text"] = "text"
    normalised: bool = True
    dimensions: tuple[Annotated[int, Field(ge=1)], ...] = ()
    highest: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    _kept: int | None = PrivateAttr(None)

    @classmethod
    def kind_to_learn(cls, settings: TaskSettings) -> TargetKind:
        """Which texts are alike."""
        return Alike()

    @classmethod
    def of(cls, dataset: Dataset, settings: TaskSettings) -> Spec:
        """A spec with the scale of a table's scores."""
        scores = (abs(target) for target in dataset.targets if isinstance(target, float))
        return cls(dimensions=settings.matryoshka, highest=max(1.0, *scores, 1.0))

    @property
    def kind(self) -> TargetKind:
        """Which texts are alike."""
        return Alike()

    @property
    def output(self) -> str:
        """An embedding of each text."""
        return "embedding"

    @property
    def apart(self) -> bool:
        """Each text of a row has its own embedding."""
        return True

    @property
    def labels(self) -> tuple[str, ...]:
        """None: the outputs of the network are dimensions."""
        return ()

    def arrays(self, target: Target, reading: Reading) -> list[Array]:
        """The target of each text of a row: its score, [1]; without scores three numbers.

        These are the key of the text, the key of what it is alike to, and its role.
        """
        texts = texts_of(reading.input)
        if isinstance(target, float):
            return [np.array([target / self.highest], dtype=np.float32)] * len(texts)
        if isinstance(target, str):
            return [np.array([key(texts[0]), key(target), MEMBER])]
        return [np.array([key(text), key(texts[0]), role]) for role, text in enumerate(texts)]

    def self_supervised(self, texts: Sequence[Input], read: Read) -> tuple[list[Reading], list[Any]]:
        """Pairs of the halves of texts, which belong together; shorter texts are left out."""
        words = [one.split() for one in dict.fromkeys(texts_of(text)[0] for text in texts)]
        long = [one for one in words if len(one) >= LEAST_WORDS][:MOST_PAIRS]
        halves = [(" ".join(one[: len(one) // 2]), " ".join(one[len(one) // 2 :])) for one in long]
        return read(halves), [()] * len(halves)

    def notes(self, targets: Sequence[Target], readings: Sequence[Reading]) -> list[tuple[str, str]]:
        """What is learned from the rows."""
        if isinstance(targets[0], float):
            return [("Learns", f"the scores of {len(targets):,} pairs of texts")]
        if isinstance(targets[0], str):
            return [("Learns", f"that texts with the same label are alike; {len({*targets}):,} labels")]
        kind = "triplets" if any(len(texts_of(one.input)) > 2 for one in readings) else "pairs"
        return [("Learns", f"which texts belong together, from {len(targets):,} {kind}")]

    @property
    def kept(self) -> int | None:
        """The leading dimensions that an answer keeps; None is all."""
        return self._kept

    def keeping(self, dimensions: int | None, name: str) -> Spec:
        """The spec of one request, whose answers keep so many leading dimensions.

        Raises:
            UsageError: as ``check_dimensions``.
        """
        self.check_dimensions(dimensions, name)
        own = self.model_copy()
        own._kept = dimensions
        return own

    def check_dimensions(self, dimensions: int | None, name: str) -> None:
        """Check that an embedding can be cut to so many dimensions and stay reliable.

        Args:
            dimensions: None cuts nothing.
            name: of the model.

        Raises:
            UsageError: it was not trained for them.
        """
        if dimensions is None or dimensions in self.dimensions:
            return
        known = " or ".join(map(str, self.dimensions))
        remedy = f"give {known}, or leave dimensions out" if known else "leave dimensions out"
        raise UsageError(f"{name} was not trained to be cut to {dimensions:,} dimensions: {remedy}")


def as_embedder(spec: TaskSpec) -> Spec:
    """The spec by which a model embeds: its own, or that of a model which was not trained to."""
    return spec if isinstance(spec, Spec) else Spec(normalised=False)


def key(text: str) -> int:
    """A number for a text, the same for texts that differ in case and white space only."""
    normal = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(normal, digest_size=8).digest(), "big", signed=True)
