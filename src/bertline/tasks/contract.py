"""What every task's spec has: the fields that training, bundles and serving read of any task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Label = Annotated[str, Field(min_length=1)]
Reads = Literal["text", "pair"]


class TaskSpec(BaseModel):
    """The part of a manifest that says what the model does.

    Attributes:
        task: the name of the task's folder.
        reads: one text, or a pair of texts.
        temperature: divides the logits before they become probabilities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    task: str
    reads: Reads = "text"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    if TYPE_CHECKING:  # a field of one task is a property of another, and pydantic warns of a field over a property

        @property
        def labels(self) -> tuple[str, ...]:
            """Of the head's outputs, in their order."""
            ...

    @property
    def output(self) -> str:
        """The output of the network that answers are made from (``encoder.outputs``)."""
        return "logits"

    @property
    def problem_type(self) -> str | None:
        """``problem_type`` in the checkpoint's ``config.json``, where ``transformers`` has one for the task."""
        return None
