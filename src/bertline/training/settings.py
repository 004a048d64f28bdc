"""The settings of a training run, and why each default is what it is."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from bertline.data.settings import EvaluateSettings, TaskSettings


class TrainSettings(EvaluateSettings, TaskSettings):
    """One fine-tuning run. The defaults come from the measurements in ``docs/log.md``."""

    model: str = Field("all-MiniLM-L6-v2", description="a checkpoint directory, an installed model's name or a hub id")
    group_column: str | None = Field(None, description="rows with one value here stay in one split")
    eval_data: Path | None = Field(None, description="a test table of its own; otherwise part of DATA is held out")
    validation_ratio: float = Field(0.1, gt=0, lt=0.5, description="share of the rows that early stopping looks at")
    test_ratio: float = Field(0.1, gt=0, lt=0.5, description="share held out for the reported figures")
    reference_rows: int = Field(
        5000, ge=0, description="most validation rows, and test rows, that the bundle carries for optimize; 0: none"
    )
    keep_duplicates: bool = Field(False, description="leave duplicates of training rows in the evaluation rows")

    max_tokens: int = Field(256, ge=4, description="tokens read of a text, [CLS] and [SEP] included")
    truncation: Literal["head_tail", "head"] = Field(
        "head_tail", description="which tokens of a long text are read; a tagger reads all"
    )
    pooling: Literal["cls", "mean"] = Field(
        "cls", description="cls: the family's own head; mean: ours; a tagger has none"
    )

    epochs: int = Field(3, ge=1, description="passes over the training rows")
    patience: int = Field(2, ge=1, description="epochs without better validation figures before stopping")
    batch_tokens: int = Field(1024, ge=16, description="padded tokens of a batch")
    lr: float = Field(1e-4, gt=0, description="highest learning rate")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(0.01, ge=0, description="on matrices; never on biases, norms and embeddings")
    clip_norm: float = Field(1.0, gt=0, description="bound on the norm of the gradient")
    dropout: float | None = Field(None, ge=0, lt=1, description="one rate everywhere; else the checkpoint's rates")
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: rare labels weigh more")
    seed: int = Field(0, ge=0, description="of split, order, head and dropout; the same seed gives the same weights")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the chip multiplies it fast"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if torch sees one")
    checkpoint_every_s: float = Field(60, gt=0, description="seconds between checkpoints to resume from")
