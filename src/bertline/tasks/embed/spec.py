"""What a bundle says of an embedder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bertline.data.settings import TaskSettings
from bertline.data.target_kinds import TargetKind
from bertline.errors import SettingsError, UsageError
from bertline.tasks.contract import TaskSpec

NOT_TRAINED = (
    "the task embed is neither trained nor evaluated on a table: bertline models import makes a bundle of a model of "
    "sentence-transformers"
)


class Spec(TaskSpec):
    """An embedder.

    Attributes:
        normalised: whether an embedding is divided by its length, so that a dot product is the cosine.
        dimensions: shorter lengths that its embeddings may be cut to, because it was trained for them (Matryoshka
            representation learning, Kusupati et al. 2022); the longest first.
    """

    task: Literal["embed"] = "embed"
    reads: Literal["text"] = "text"
    normalised: bool = True
    dimensions: tuple[Annotated[int, Field(ge=1)], ...] = ()

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

    @property
    def output(self) -> str:
        """An embedding of each text."""
        return "embedding"

    @property
    def labels(self) -> tuple[str, ...]:
        """None: the outputs of the network are dimensions."""
        return ()

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
