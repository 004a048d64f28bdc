"""transformers itself: as people run it, and with what its documentation offers for speed on a CPU."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from worker_batches import Array, Batch, Loaded, Sorted, Unsupported

BATCH_ROWS = 32


class Layout(NamedTuple):
    """How the best forms can run."""

    dtype: torch.dtype = torch.float32
    autocast: bool = False
    compiled: bool = False


FP32 = {"fp32": Layout(), "fp32, torch.compile(dynamic=True)": Layout(compiled=True)}
BF16 = {  # compiled autocast is left out: it converts every weight again in every batch
    "bf16 autocast": Layout(autocast=True),
    "bf16 weights": Layout(torch.bfloat16),
    "bf16 weights, torch.compile(dynamic=True)": Layout(torch.bfloat16, compiled=True),
}


def start(kind: str, checkpoint: Path, work: Path, threads: int) -> AsTheyCome | Sorted:
    """The contestant of one of the kinds transformers, transformers-best and transformers-bf16."""
    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    if kind == "transformers":
        return AsTheyCome(_load(checkpoint, "eager"), tokenizer, threads)
    bf16 = kind == "transformers-bf16"
    able = torch.cpu.get_capabilities()
    if bf16 and not (able.get("avx512_bf16") or able.get("amx_bf16")):
        raise Unsupported("this processor has no bf16 instructions")
    layouts = BF16 if bf16 else FP32
    loaded = Loaded({name: partial(_load_layout, checkpoint, layout) for name, layout in layouts.items()})
    return Sorted(Torch(loaded, tokenizer.pad_token_id, f"sdpa attention, {threads} threads"), tokenizer)


def _load(checkpoint: Path, attention: str, dtype: torch.dtype = torch.float32) -> Any:
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, attn_implementation=attention, dtype=dtype)
    return model.eval()


def _load_layout(checkpoint: Path, layout: Layout) -> Any:
    model = _load(checkpoint, "sdpa", layout.dtype)
    return torch.compile(model, dynamic=True) if layout.compiled else model


class AsTheyCome:
    """Batches of 32 in the order of the texts, padded to the longest, fp32, eager attention."""

    def __init__(self, model: Any, tokenizer: Any, threads: int) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.settings = f"batches of {BATCH_ROWS} as they come, eager attention, fp32, {threads} threads"

    def warm(self, name: str, texts: Sequence[str], max_tokens: int) -> dict[str, Any]:
        """One unrecorded run: there is nothing to choose."""
        seconds, _ = self.bulk(name, texts, max_tokens)
        return {"plan": self.settings, "seconds": {self.settings: seconds}}

    def bulk(self, name: str, texts: Sequence[str], max_tokens: int) -> tuple[float, list[list[float]]]:
        """Seconds from texts to logits, and the logits."""
        begin = time.perf_counter()
        logits: list[list[float]] = []
        for first in range(0, len(texts), BATCH_ROWS):
            logits += self._run(texts[first : first + BATCH_ROWS], max_tokens)
        return time.perf_counter() - begin, logits

    def single(self, texts: Sequence[str], max_tokens: int) -> list[float]:
        """Milliseconds from text to logits, one text at a time."""
        for text in texts[:2]:
            self._run([text], max_tokens)
        found = []
        for text in texts:
            begin = time.perf_counter()
            self._run([text], max_tokens)
            found.append(1000 * (time.perf_counter() - begin))
        return found

    def settle(self) -> None:
        """Nothing was tried."""

    def _run(self, texts: Sequence[str], max_tokens: int) -> list[list[float]]:
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
        with torch.inference_mode():
            logits: list[list[float]] = self.model(**batch).logits.tolist()
        return logits


class Torch:
    """The engine of the best forms."""

    def __init__(self, models: Loaded, pad: int, settings: str) -> None:
        self.models, self.layouts = models, tuple(models.makers)
        self.pad, self.settings = pad, settings

    def keep(self, layouts: Collection[str]) -> None:
        """Free the models of the other layouts."""
        self.models.keep(layouts)

    def run(self, batches: Sequence[Batch], layout: str) -> list[Array]:
        """Logits [rows, labels] of each batch."""
        autocast = (FP32 | BF16)[layout].autocast
        precision = torch.autocast("cpu", dtype=torch.bfloat16) if autocast else nullcontext()
        with torch.inference_mode(), precision:
            return [self._logits(self.models[layout], batch) for batch in batches]

    def _logits(self, model: Any, batch: Batch) -> Array:
        ids, mask = (torch.from_numpy(one) for one in batch.padded(self.pad))
        logits: Array = model(input_ids=ids, attention_mask=mask).logits.float().numpy()
        return logits
