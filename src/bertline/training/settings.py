"""The settings of a training run; docs/log.md has the measurements behind the defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bertline.data.settings import EvaluateSettings, TaskSettings

RUNS = {"standard": 1, "best": 4}  # of --quality
OF_TABLE = ("batch_tokens", "epochs", "patience")  # settings that the table decides, if nobody sets them (``of_table``)
OF_PROCESSES = {"processes", "ray", "restarts"}  # settings that the place of a run has, or that change no result


class LoopSettings(BaseModel):
    """What the training loop, its optimizer and the choice of a device read, whatever is learned."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    epochs: int = Field(3, ge=1, description="passes over the training rows")
    patience: int = Field(2, ge=1, description="epochs without improvement on the validation rows before stopping")
    batch_tokens: int = Field(1024, ge=16, description="maximum padded tokens of a batch")
    lr: float = Field(1e-4, gt=0, description="peak learning rate")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="share of the steps for learning-rate warm-up")
    weight_decay: float = Field(0.01, ge=0, description="weight decay; biases, norms and embeddings are exempt")
    clip_norm: float = Field(1.0, gt=0, description="maximum norm of the gradient")
    seed: int = Field(0, ge=0, description="random seed; the same seed gives the same weights")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the hardware multiplies it faster"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if available")
    checkpoint_every_s: float = Field(60, gt=0, description="seconds between checkpoints for --resume")
    processes: int = Field(1, ge=1, description="processes that train together, each on a GPU or a share of the cores")
    ray: str | None = Field(
        None,
        min_length=1,
        description="Ray cluster whose machines train: local, auto or HOST:PORT; they need the same paths",
    )
    restarts: int = Field(
        3, ge=0, description="how often several processes start again from the last checkpoint after one of them died"
    )


class TrainSettings(LoopSettings, EvaluateSettings, TaskSettings):
    """One fine-tuning run.

    ``TaskSpec.training_defaults`` has the defaults of tasks for which the ones here do not suit.
    """

    epochs: int = Field(
        3,
        ge=1,
        description="passes over the training rows; a small table of one label per text has more by "
        "default; a tagger's default is 10",
    )
    patience: int = Field(
        2,
        ge=1,
        description="epochs without improvement on the validation rows before stopping; a small table of one label "
        "per text keeps its last epoch by default; a tagger's default is 10",
    )
    batch_tokens: int = Field(
        1024,
        ge=16,
        description="maximum padded tokens of a batch; a classifier's default holds 16 long texts; an "
        "embedder's default is 4096",
    )
    lr: float = Field(1e-4, gt=0, description="peak learning rate; a tagger's default is 0.0003")
    model: str = Field("all-MiniLM-L6-v2", description="checkpoint directory, name of an installed model, or hub id")
    adapt: tuple[str, ...] = Field(
        (),
        description="table with a text column, or .txt file with one text per line, to pre-train the model on before "
        "the labels are learned; repeatable",
    )
    adapt_epochs: int = Field(3, ge=1, description="passes over the texts of --adapt and the training rows")
    group_column: str | None = Field(None, description="rows with the same value in this column stay in one split")
    eval_data: Path | None = Field(None, description="separate test table; by default part of DATA is held out")
    validation_ratio: float = Field(0.1, gt=0, lt=0.5, description="share of rows for early stopping and calibration")
    test_ratio: float = Field(0.1, gt=0, lt=0.5, description="share of rows held out for the reported figures")
    reference_rows: int = Field(
        5000, ge=0, description="maximum validation rows, and test rows, stored in the bundle for optimize; 0: none"
    )
    keep_duplicates: bool = Field(False, description="keep duplicates of training rows in the evaluation rows")

    max_tokens: int = Field(256, ge=4, description="maximum tokens of a text, [CLS] and [SEP] included")
    truncation: Literal["head_tail", "head"] = Field(
        "head_tail", description="tokens to keep of a long text; a tagger reads all, an embedder the head"
    )
    pooling: Literal["cls", "mean"] = Field(
        "cls",
        description="cls: the architecture's own head; mean: mean pooling; unused by taggers; an embedder's default is "
        "its model's, else mean",
    )

    head: Literal["fitted", "random"] = Field(
        "fitted", description="fitted: the head starts as a linear model on the frozen encoder; a tagger's is random"
    )
    few_shot: bool = Field(
        False,
        description="for 8 to 64 rows per label: learn from all rows, and evaluate in cross-validation; fine-tunes the "
        "encoder or leaves it frozen, whichever does better there",
    )
    quality: Literal["standard", "best"] = Field(
        "standard",
        description=f"best: average the weights of {RUNS['best']} runs, in {RUNS['best']} times the time",
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="dropout rate; by default the checkpoint's rates")
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: weight rare labels more")

    def with_defaults(self, defaults: Mapping[str, int | float]) -> "TrainSettings":
        """These settings, with ``defaults`` for those that nobody set."""
        unset = {name: default for name, default in defaults.items() if name not in self.model_fields_set}
        return self.model_copy(update=unset)
