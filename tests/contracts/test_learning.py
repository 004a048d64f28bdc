"""Every task learns: eight rows by heart, and a text has one output whatever batch it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertline import tasks
from bertline.data.entities import Entity
from bertline.data.targets import Target
from bertline.encoder.heads import Pooling
from bertline.encoder.outputs import OUTPUTS
from bertline.tasks.contract import TaskSpec
from bertline.testing.tiny import tiny_classifier, tiny_embedder, tiny_tokenizer
from bertline.text import Input, Reader, Truncation
from bertline.training.device import place
from bertline.training.loop import Run
from bertline.training.progress import Silent
from bertline.training.row_task import of_spec
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import TrainSettings
from tests.contracts.test_tasks import FOLDERS

TEXTS = ("is it at us", "on or an", "um it", "it is so", "at or on us", "an us is", "or um an on", "us at it is it")
PAIRS = tuple((one, other) for one, other in zip(TEXTS, TEXTS[::-1], strict=True))
TRIPLETS = tuple((*pair, other) for pair, other in zip(PAIRS, TEXTS[1:] + TEXTS[:1], strict=True))
RANKED = tuple((query, text) for query, text in zip(["um", "it"] * 4, TEXTS, strict=True))
ENTITIES: list[Target] = [(Entity(0, 2, "x"),) if i % 2 else (Entity(3, 5, "y"),) for i in range(8)]
LEARNED: dict[str, tuple[dict[str, Any], tuple[Input, ...], list[Target]]] = {
    "classify, one label": ({"task": "classify", "labels": ["a", "b"]}, TEXTS, ["a", "b"] * 4),
    "classify, several labels": (
        {"task": "classify", "problem": "several", "labels": ["a", "b"]},
        TEXTS,
        [("a",), (), ("a", "b"), ("b",)] * 2,
    ),
    "classify, a number": (
        {"task": "classify", "problem": "number", "labels": ["n"]},
        TEXTS,
        [1.0, -1.0, 0.5, 2.0, 0.0, 1.5, -0.5, 1.0],
    ),
    "classify, pairs": ({"task": "classify", "labels": ["a", "b"], "reads": "pair"}, PAIRS, ["a", "b"] * 4),
    "embed, pairs": ({"task": "embed"}, PAIRS, [()] * 8),
    "embed, triplets": ({"task": "embed", "dimensions": [16]}, TRIPLETS, [()] * 8),
    "embed, labels": ({"task": "embed"}, TEXTS, ["a", "b"] * 4),
    "embed, scores": ({"task": "embed", "highest": 5.0}, PAIRS, [5.0, 0.0, 3.0, 1.0, 1.0, 3.0, 0.0, 5.0]),
    "rank": ({"task": "rank"}, RANKED, [1.0, 0.0, 0.0, 1.0] * 2),
    "rank, grades": ({"task": "rank", "highest": 3.0}, RANKED, [3.0, 0.0, 1.0, 2.0] * 2),
    "tag": ({"task": "tag", "types": ["x", "y"]}, TEXTS, ENTITIES),
    "tag, every piece": ({"task": "tag", "types": ["x", "y"], "scheme": "BIOES", "label_all": True}, TEXTS, ENTITIES),
}


# Specs that answer other inputs than a table's rows, or that no table trains, with texts for them.
ANSWERED: dict[str, tuple[dict[str, Any], tuple[Input, ...]]] = {
    "embed": ({"task": "embed"}, TEXTS),
    "fill": (
        {"task": "fill"},
        ("is [MASK] at us", "[MASK] or [MASK]", "um [MASK]", "it is [MASK]", "[MASK]", "an us is [MASK] , it is !"),
    ),
}

# Each takes ten seconds to learn, and has a relative with the same loss or the same output that is learned every time.
DRILLED = (
    "classify, several labels", "classify, pairs", "embed, triplets", "embed, labels", "embed, scores", "rank, grades",
    "tag, every piece",
)  # fmt: skip


def spec_of(name: str) -> TaskSpec:
    return tasks.read_spec((LEARNED[name] if name in LEARNED else ANSWERED[name])[0])


def rows_of(name: str) -> Rows:
    spec, (_, inputs, targets) = spec_of(name), LEARNED[name]
    policy: Any = "window" if OUTPUTS[spec.output].by_token else "head_tail"
    readings = Reader(tiny_tokenizer(), Truncation(16, policy), offsets=spec.offsets, apart=spec.apart).read(inputs)
    return Rows(readings, targets, range(1, 9))


def network(spec: TaskSpec) -> Any:
    if spec.apart:
        return tiny_embedder(family="bert")
    pooling: Pooling = "none" if OUTPUTS[spec.output].by_token else "cls"
    return tiny_classifier(family="bert", labels=len(spec.labels), pooling=pooling)


def test_every_task_learns_here() -> None:
    assert {spec_of(name).task for name in LEARNED} == {name for name in FOLDERS if tasks.task(name).learns}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.drill] if name in DRILLED else []) for name in LEARNED]
)
def test_eight_rows_are_learned_by_heart(name: str, tmp_path: Path) -> None:
    spec, rows = spec_of(name), rows_of(name)
    settings = TrainSettings(epochs=160, patience=160, lr=5e-3, batch_tokens=256, precision="fp32", weight_decay=0.0)
    model = network(spec)
    task = of_spec(spec, rows, rows, settings)
    history = Run(model, task, settings, place(settings), Silent(), tmp_path, {}).fit()
    losses = [one.validation_loss for one in history]
    assert min(losses) < 0.05 < losses[0]
    outputs = rows.by_text(score(model, rows, torch.device("cpu")))
    evaluation = tasks.task(spec.task).measure.measure(spec, rows.targets, outputs, rows.readings)
    assert evaluation.headline()[0][1].value > 0.9  # accuracy, micro-F1, R², NDCG@10, MRR, Spearman or F1


@pytest.mark.parametrize("name", LEARNED)
def test_a_text_has_one_output_whatever_batch_it_is_in(name: str) -> None:
    spec, rows = spec_of(name), rows_of(name)
    model = network(spec).eval()
    together = rows.by_text(score(model, rows, torch.device("cpu")))
    for i, reading in enumerate(rows.readings):
        alone = score(model, Rows([reading], [rows.targets[i]], [1]), torch.device("cpu"))
        for one, other in zip(together[i], alone, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
