"""The peer of pre-training: ``transformers``' own loop for masked language models.

Its example script's way: texts with [CLS] and [SEP], concatenated and cut into groups of equal length, which
``DataCollatorForLanguageModeling`` masks anew for every pass; the Trainer with AdamW, warm-up and linear decay.
``best`` adds what speeds it up without leaving its documentation: no dropout, and bf16 where it pays.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
    set_seed,
)

from bertline.encoder.config import EncoderConfig
from bertline.encoder.masked import MaskedLanguageModel, load_masked
from bertline.training.pretraining.settings import PretrainSettings
from bertline.training.pretraining.tokens import Stream


class Groups(torch.utils.data.Dataset[dict[str, Any]]):
    """Groups of ``length`` tokens of a stream of texts, each with [CLS] and [SEP]."""

    def __init__(self, stream: Stream, length: int, cls_id: int, sep_id: int) -> None:
        ends = np.flatnonzero(stream == sep_id) + 1
        framed = np.insert(np.asarray(stream), [0, *ends[:-1]], cls_id)
        self.groups = framed[: len(framed) // length * length].reshape(-1, length).astype(np.int64)

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self.groups[index].tolist()}


def build(
    stream: Stream,
    vocabulary: Path,
    config: EncoderConfig,
    settings: PretrainSettings,
    steps: int,
    *,
    best: bool,
    bf16: bool,
) -> Trainer:
    """A Trainer of a fresh network of the same shape for so many steps."""
    set_seed(settings.seed)
    tokenizer = AutoTokenizer.from_pretrained(vocabulary)
    theirs = {**config.with_dropout(0.0 if best else 0.1).to_hf(), "classifier_dropout": None}
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="peer-masked-"),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_tokens // settings.sequence_tokens,
        learning_rate=settings.lr,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16 and best,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        save_strategy="no",
    )
    return Trainer(
        model=BertForMaskedLM(BertConfig(**{name: one for name, one in theirs.items() if name != "model_type"})),
        args=arguments,
        train_dataset=Groups(stream, settings.sequence_tokens, tokenizer.cls_token_id, tokenizer.sep_token_id),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=settings.mask_share),
    )


def network(trainer: Trainer) -> MaskedLanguageModel:
    """The trained network as ours, to be measured on the same held-out tokens."""
    with tempfile.TemporaryDirectory() as directory:
        trainer.model.save_pretrained(directory)
        return load_masked(Path(directory))[0]
