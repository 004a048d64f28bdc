"""The settings of a distillation, and why each default is what it is."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from bertline.data.settings import LabelledTableSettings, UnlabelledSettings
from bertline.training.settings import TrainSettings

LAYERS = 3  # of a student that starts from its teacher's, when nothing is asked for


class DistillSettings(UnlabelledSettings, LabelledTableSettings):
    """One distillation. The defaults come from the measurements in ``docs/log.md``."""

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
    epochs: int = Field(4, ge=1, description="passes over the texts")
    patience: int = Field(2, ge=1, description="epochs without getting closer to the teacher before training stops")
    batch_tokens: int = Field(1024, ge=16, description="padded tokens of a batch")
    lr: float = Field(1e-4, gt=0, description="highest learning rate")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on biases, norms and embeddings")
    clip_norm: float = Field(1.0, gt=0, description="bound on the norm of the gradient")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the student")
    value_relations: float = Field(
        0.0,
        ge=0,
        description="weight of the last layer's value relations in the loss; above 0 the teacher reads every batch",
    )
    seed: int = Field(0, ge=0, description="of the order and dropout; the same seed gives the same weights")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the chip multiplies it fast"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if torch sees one")
    checkpoint_every_s: float = Field(60, gt=0, description="seconds between checkpoints to resume from")

    def loop(self) -> TrainSettings:
        """What the training loop, the optimizer and the choice of a device read of them."""
        shared = TrainSettings.model_fields.keys() & type(self).model_fields.keys()
        return TrainSettings(**{name: getattr(self, name) for name in shared})
