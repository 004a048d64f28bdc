"""The peer: ``transformers``' own Trainer on the same rows, with the settings its guides use.

Batches of 32 as they come, padded to their longest text, fp32, head truncation, AdamW with warm-up and linear decay,
evaluation each epoch and the best epoch kept. Its learning rate is ours and not its default, 5e-5, which gave our
own loop 0.7 points less on one seed's validation rows (docs/log.md). ``best`` adds what its documentation offers for
speed: batches grouped by length, and bf16 where the chip has it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

from bertline.data.examples import Example
from bertline.encoder.source import find_model
from bertline.training.prepare import Prepared
from bertline.training.settings import TrainSettings

BATCH_ROWS = 32


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenised rows as the Trainer's collator takes them."""

    def __init__(self, examples: Sequence[Example], prepared: Prepared, tokenizer: Any, max_tokens: int) -> None:
        encoded = tokenizer([one.text for one in examples], truncation=True, max_length=max_tokens)
        self.rows = [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": prepared.spec.labels.index(str(one.target))}
            for ids, one in zip(encoded["input_ids"], examples, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]


def build(
    prepared: Prepared,
    settings: TrainSettings,
    *,
    rows: int | None = None,
    best: bool = False,
    bf16: bool = False,
    output: Path | None = None,
) -> tuple[Trainer, dict[str, Rows]]:
    """A Trainer ready to run, and the rows of each split; ``rows`` keeps so many training rows and no validation.

    Its checkpoints go to ``output``, from where ``resumed`` goes on.
    """
    set_seed(settings.seed)
    directory = find_model(settings.model)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    splits = {
        name: Rows(some[:rows] if name == "train" else some, prepared, tokenizer, settings.max_tokens)
        for name, some in prepared.splits.items()
    }
    validated: dict[str, Any] = {"eval_strategy": "no", "save_strategy": "no"}
    if rows is None:
        validated = {
            "eval_strategy": "epoch",
            "save_strategy": "epoch",
            "save_total_limit": 1,
            "load_best_model_at_end": True,
            "metric_for_best_model": "accuracy",
        }
    arguments = TrainingArguments(
        output_dir=str(output or tempfile.mkdtemp(prefix="peer-trainer-")),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=BATCH_ROWS,
        per_device_eval_batch_size=BATCH_ROWS,
        learning_rate=settings.lr,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16,
        train_sampling_strategy="group_by_length" if best else "random",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        **validated,
    )
    trainer = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(directory, num_labels=len(prepared.spec.labels)),
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda one: {"accuracy": float((one.predictions.argmax(1) == one.label_ids).mean())},
    )
    return trainer, splits


def resumed(trainer: Trainer) -> None:
    """Train, or go on after the last epoch that an interrupted run finished."""
    trainer.train(resume_from_checkpoint=any(Path(trainer.args.output_dir).glob("checkpoint-*")))


def logits(trainer: Trainer, rows: Rows) -> np.ndarray[Any, Any]:
    """What the trained model says of each row, in their order, [rows, labels]."""
    trainer.args.train_sampling_strategy = "random"  # grouping by length would reorder what is predicted too
    return np.asarray(trainer.predict(rows).predictions)
