"""What every peer in its best form shares: sorted by length, batches bounded by padded tokens, a measured plan.

A plan is a layout (how an engine spreads its work over the cores, in its own words) and a budget of padded tokens per
batch. Each is a choice that the peers' documentation leaves to measurement, so each peer measures: every plan runs once
unrecorded on a warm-up slice of the data set, then ROUNDS times in turn, and the plan with the shortest run is kept
under the data set's name.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
BUDGETS_TOKENS = (512, 1024, 2048, 4096, 8192)
ROUNDS = 2
FIRST_TEXTS = 64  # the warm-up slice of a data set that sent none
LATENCY_TEXTS = 8  # texts by which the layout for single texts is chosen


class Unsupported(Exception):
    """This machine lacks what the kind is about, so there is nothing to measure."""


@dataclass(frozen=True)
class Batch:
    """Rows of token ids of similar length; special tokens are in, padding is not."""

    rows: list[list[int]]

    def padded(self, pad: int, dtype: type = np.int64) -> tuple[Array, Array]:
        """Ids and attention mask, both [rows, longest]."""
        longest = max(map(len, self.rows))
        ids = np.full((len(self.rows), longest), pad, dtype=dtype)
        mask = np.zeros_like(ids)
        for i, row in enumerate(self.rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return ids, mask


class Engine(Protocol):
    """One library with the checkpoint loaded."""

    layouts: Sequence[str]
    settings: str

    def keep(self, layouts: Collection[str]) -> None:
        """Free what only the other layouts use; it is loaded again when it is asked for."""

    def run(self, batches: Sequence[Batch], layout: str) -> list[Array]:
        """Logits [rows, labels] of each batch, in the order of the batches."""


@dataclass(frozen=True)
class Plan:
    """How the texts of one data set are run."""

    layout: str
    budget_tokens: int

    def __str__(self) -> str:
        return f"{self.layout}, at most {self.budget_tokens} padded tokens a batch"


class Loaded:
    """The models of an engine by layout, loaded when first asked for: only those in use need count as its memory."""

    def __init__(self, makers: dict[str, Callable[[], Any]]) -> None:
        self.makers = makers
        self.models: dict[str, Any] = {}

    def __getitem__(self, layout: str) -> Any:
        if layout not in self.models:
            self.models[layout] = self.makers[layout]()
        return self.models[layout]

    def keep(self, layouts: Collection[str]) -> None:
        """Forget the models of the other layouts."""
        self.models = {name: model for name, model in self.models.items() if name in layouts}


def bounded(rows: Sequence[list[int]], budget_tokens: int) -> list[list[int]]:
    """Indices of the rows of each batch: longest first, so that memory is claimed once and the last batches are short.

    >>> bounded([[1], [1, 2, 3], [1, 2]], 4)
    [[1], [2, 0]]
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
        longest = len(rows[batches[-1][0]]) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= budget_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def in_threads(runs: Sequence[Callable[[Batch], Array]], batches: Sequence[Batch]) -> list[Array]:
    """The batches over parallel runners, each of which takes the next batch when it is free."""
    if len(runs) == 1:
        return [runs[0](batch) for batch in batches]
    found: list[Array] = [np.empty(0)] * len(batches)
    waiting = iter(range(len(batches)))  # next() on it is one bytecode, so two threads never get the same number

    def work(run: Callable[[Batch], Array]) -> None:
        for index in waiting:
            found[index] = run(batches[index])

    with ThreadPoolExecutor(len(runs)) as pool:
        for done in [pool.submit(work, run) for run in runs]:
            done.result()
    return found


class Sorted:
    """A contestant: tokenises with the fast tokenizer, then runs an engine by the plan of the data set."""

    def __init__(self, engine: Engine, tokenizer: Any) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.plans: dict[str, Plan] = {}
        self.latency_layout = engine.layouts[0] if len(engine.layouts) == 1 else ""

    @property
    def settings(self) -> str:
        """In words: the engine's, then what was measured here."""
        plans = "; ".join(f"{name or 'unnamed'}: {plan}" for name, plan in self.plans.items())
        single = f"; single texts: {self.latency_layout}" if self.latency_layout else ""
        return f"{self.engine.settings}; sorted by length{f'; {plans}' if plans else ''}{single}"

    def warm(self, name: str, texts: Sequence[str], max_tokens: int) -> dict[str, Any]:
        """Measure every plan on the slice and keep the best under the name; seconds of each plan's best round."""
        plans = [Plan(layout, budget) for layout in self.engine.layouts for budget in BUDGETS_TOKENS]
        seconds: dict[Plan, list[float]] = {plan: [] for plan in plans}
        for plan in plans:
            self._bulk(texts, max_tokens, plan)
        for _ in range(ROUNDS):
            for plan in plans:
                seconds[plan].append(self._bulk(texts, max_tokens, plan)[0])
        best = min(plans, key=lambda plan: min(seconds[plan]))
        self.plans[name] = best
        return {"plan": str(best), "seconds": {str(plan): min(found) for plan, found in seconds.items()}}

    def bulk(self, name: str, texts: Sequence[str], max_tokens: int) -> tuple[float, list[list[float]]]:
        """Seconds from texts to logits, and the logits in the order of the texts."""
        if name not in self.plans:
            self.warm(name, texts[:FIRST_TEXTS], max_tokens)
        return self._bulk(texts, max_tokens, self.plans[name])

    def single(self, texts: Sequence[str], max_tokens: int) -> list[float]:
        """Milliseconds from text to logits, one text at a time."""
        if not self.latency_layout:
            self._choose_latency_layout(texts[:LATENCY_TEXTS], max_tokens)
        for text in texts[:2]:
            self._one(text, max_tokens, self.latency_layout)
        return [self._one(text, max_tokens, self.latency_layout) for text in texts]

    def settle(self) -> None:
        """Keep only what the plans use: the memory of a peer is not that of its trials."""
        if self.plans or self.latency_layout:
            self.engine.keep({plan.layout for plan in self.plans.values()} | {self.latency_layout})

    def _choose_latency_layout(self, texts: Sequence[str], max_tokens: int) -> None:
        medians = {}
        for layout in self.engine.layouts:
            for text in texts:  # every shape once, unrecorded
                self._one(text, max_tokens, layout)
            medians[layout] = statistics.median(self._one(text, max_tokens, layout) for text in texts)
        self.latency_layout = min(medians, key=lambda layout: medians[layout])

    def _one(self, text: str, max_tokens: int, layout: str) -> float:
        begin = time.perf_counter()
        self.engine.run([Batch(self._tokenise([text], max_tokens))], layout)
        return 1000 * (time.perf_counter() - begin)

    def _bulk(self, texts: Sequence[str], max_tokens: int, plan: Plan) -> tuple[float, list[list[float]]]:
        begin = time.perf_counter()
        rows = self._tokenise(texts, max_tokens)
        orders = bounded(rows, plan.budget_tokens)
        found = self.engine.run([Batch([rows[i] for i in order]) for order in orders], plan.layout)
        logits: list[list[float]] = [[]] * len(texts)
        for order, batch in zip(orders, found, strict=True):
            for index, row in zip(order, batch.tolist(), strict=True):
                logits[index] = row
        return time.perf_counter() - begin, logits

    def _tokenise(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=max_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        rows: list[list[int]] = encoded["input_ids"]
        return rows
