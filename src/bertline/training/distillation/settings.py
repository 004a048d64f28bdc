"""The settings of a distillation; docs/log.md has the measurements behind the defaults."""

from pathlib import Path

from pydantic import Field

from bertline.data.settings import LabelledTableSettings, UnlabelledSettings
from bertline.training.settings import LoopSettings

LAYERS = 3  # by default, of a student that starts from its teacher's


class DistillSettings(LoopSettings, UnlabelledSettings, LabelledTableSettings):
    """One distillation."""

    layers: int | None = Field(
        None,
        ge=1,
        description=f"layers of the student, spread evenly over the teacher's; default: {LAYERS}, or those of --start",
    )
    feed_forward: int | None = Field(
        None,
        ge=1,
        description="feed-forward neurons per layer that pruning keeps; default: all",
    )
    attention_heads: int | None = Field(
        None,
        ge=1,
        description="attention heads per layer that pruning keeps; a last layer read at [CLS] keeps all",
    )
    start: Path | None = Field(
        None, description="earlier student of this teacher to start from, instead of the teacher's layers"
    )
    eval_data: Path | None = Field(
        None, description="labelled rows to evaluate on, half of them to select the epoch; default: the bundle's own"
    )
    epochs: int = Field(4, ge=1, description="passes over the transfer texts")
    patience: int = Field(2, ge=1, description="epochs without getting closer to the teacher before stopping")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate of the student")
    value_relations: float = Field(
        0.0,
        ge=0,
        description="weight of the last layer's value relations in the loss; above 0 the teacher reads every batch",
    )
