"""What people start from: BERT-base in transformers, fp32, texts padded to 512 tokens. Random weights: speed only."""

from __future__ import annotations

import statistics
import time

import torch
from transformers import BertConfig, BertForSequenceClassification

TOKENS, ROWS, REPETITIONS = 512, 8, 3


def texts_per_s(threads: int) -> float:
    """Median rate of batches of 8."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model = BertForSequenceClassification(BertConfig(num_labels=2)).eval()
        ids = torch.randint(1000, 30_000, (ROWS, TOKENS))
        rates = []
        with torch.inference_mode():
            for _ in range(REPETITIONS + 1):
                began = time.perf_counter()
                model(input_ids=ids, attention_mask=torch.ones_like(ids))
                rates.append(ROWS / (time.perf_counter() - began))
        return statistics.median(rates[1:])
    finally:
        torch.set_num_threads(before)
