"""What type checkers and editors see of bertline; written by ``python -m tools.reference_page``."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from bertline.errors import BertlineError as BertlineError
from bertline.errors import BertlineWarning as BertlineWarning
from bertline.errors import BundleError as BundleError
from bertline.errors import CheckpointError as CheckpointError
from bertline.errors import CheckpointWarning as CheckpointWarning
from bertline.errors import DataError as DataError
from bertline.errors import DestinationError as DestinationError
from bertline.errors import EngineWarning as EngineWarning
from bertline.errors import Interrupted as Interrupted
from bertline.errors import SettingsError as SettingsError
from bertline.errors import TrainingError as TrainingError
from bertline.errors import UsageError as UsageError
from bertline.library import Answers as Answers
from bertline.library import Index as Index
from bertline.library import Model as Model
from bertline.library import Report as Report
from bertline.library import import_model as import_model
from bertline.library import load as load

__all__: list[str]
__version__: str

def train(
    data: str | Path,
    *,
    out: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    query_column: str | None = None,
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll"] | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    no_header: bool = False,
    skip_bad_rows: bool = False,
    label_column: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
    entities_column: str | None = None,
    score_column: str | None = None,
    task: str | None = None,
    problem: Literal["single", "several", "number"] | None = None,
    scheme: Literal["BIO", "BIOES"] = "BIO",
    label_all_pieces: bool = False,
    slice_columns: Sequence[str] = (),
    epochs: int = 3,
    patience: int = 2,
    batch_tokens: int = 1024,
    lr: float = 0.0001,
    warmup_ratio: float = 0.1,
    weight_decay: float = 0.01,
    clip_norm: float = 1.0,
    seed: int = 0,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    checkpoint_every_s: float = 60,
    model: str = "all-MiniLM-L6-v2",
    group_column: str | None = None,
    eval_data: str | Path | None = None,
    validation_ratio: float = 0.1,
    test_ratio: float = 0.1,
    reference_rows: int = 5000,
    keep_duplicates: bool = False,
    max_tokens: int = 256,
    truncation: Literal["head_tail", "head"] = "head_tail",
    pooling: Literal["cls", "mean"] = "cls",
    head: Literal["fitted", "random"] = "fitted",
    dropout: float | None = None,
    class_weights: Literal["none", "balanced"] = "none",
) -> Report: ...
def evaluate(
    bundle: str | Path,
    data: str | Path,
    *,
    engine: str | None = None,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    query_column: str | None = None,
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll"] | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    no_header: bool = False,
    skip_bad_rows: bool = False,
    label_column: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
    entities_column: str | None = None,
    score_column: str | None = None,
    slice_columns: Sequence[str] = (),
) -> Report: ...
def distill(
    bundle: str | Path,
    data: str | Path | None = None,
    *,
    out: str | Path,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    query_column: str | None = None,
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll"] | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    no_header: bool = False,
    skip_bad_rows: bool = False,
    label_column: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
    entities_column: str | None = None,
    score_column: str | None = None,
    unlabelled: Sequence[str] = (),
    epochs: int = 4,
    patience: int = 2,
    batch_tokens: int = 1024,
    lr: float = 0.0001,
    warmup_ratio: float = 0.1,
    weight_decay: float = 0.01,
    clip_norm: float = 1.0,
    seed: int = 0,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    checkpoint_every_s: float = 60,
    layers: int | None = None,
    feed_forward: int | None = None,
    attention_heads: int | None = None,
    start: str | Path | None = None,
    eval_data: str | Path | None = None,
    dropout: float = 0.0,
    value_relations: float = 0.0,
) -> Report: ...
def optimize(
    bundle: str | Path,
    *,
    progress: bool = True,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    query_column: str | None = None,
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll"] | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    no_header: bool = False,
    skip_bad_rows: bool = False,
    unlabelled: Sequence[str] = (),
    max_accuracy_drop: float = 0.5,
    goal: Literal["throughput", "latency", "size"] = "throughput",
    student: str | Path | None = None,
    confidence: float = 0.95,
    kept_tokens: int = 8000,
    speed_rows: int = 512,
    repetitions: int = 5,
) -> Report: ...
def index(
    bundle: str | Path,
    data: str | Path | Iterable[str],
    *,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    query_column: str | None = None,
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll"] | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    no_header: bool = False,
    skip_bad_rows: bool = False,
) -> Index: ...
