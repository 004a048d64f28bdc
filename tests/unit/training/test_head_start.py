from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn import functional

from bertline.tasks.classify.learn import loss
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.device import Placement
from bertline.training.head_start import _choose, start_head
from bertline.training.rows import Rows
from bertline.training.scoring import score
from tests.unit.training.conftest import sentences

CPU = Placement(torch.device("cpu"), torch.float32)
SPEC = Spec(labels=("bad", "good"))
TRAIN, VALIDATION = (
    Rows(
        Reader(tiny_tokenizer(), Truncation(24)).read([text for text, _ in some]),
        [label for _, label in some],
        range(len(some)),
    )
    for some in (sentences(120, seed=1), sentences(60, seed=2))
)


@pytest.mark.parametrize(
    ("family", "pooling"), [("bert", "cls"), ("bert", "mean"), ("distilbert", "cls"), ("roberta", "cls")]
)
def test_the_head_answers_the_validation_rows_as_the_linear_model_and_better_than_a_random_one(
    family: str, pooling: Literal["cls", "mean"]
) -> None:
    classifier = tiny_classifier(family=family, labels=2, pooling=pooling)
    encoder = {name: tensor.clone() for name, tensor in classifier.encoder.state_dict().items()}
    wanted = torch.from_numpy(np.stack(VALIDATION.arrays(SPEC)))

    def validation_loss() -> float:
        return float(loss(SPEC, torch.from_numpy(np.stack(score(classifier, VALIDATION, CPU.device))), wanted)) / len(
            VALIDATION
        )

    before = validation_loss()
    started = start_head(classifier, SPEC, TRAIN, VALIDATION, CPU)
    assert started.validation_loss == pytest.approx(validation_loss(), abs=1e-4)
    assert started.validation_loss < before
    np.testing.assert_allclose(
        np.stack(started.outputs), np.stack(score(classifier, VALIDATION, CPU.device)), atol=1e-4
    )
    assert all(torch.equal(tensor, encoder[name]) for name, tensor in classifier.encoder.state_dict().items())
    assert classifier.training


def test_it_is_the_same_at_every_call() -> None:
    heads = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        classifier = tiny_classifier(family="bert", labels=2, pooling="mean")
        start_head(classifier, SPEC, TRAIN, VALIDATION, CPU)
        heads.append(classifier.head.out.weight.detach())
    assert torch.equal(*heads)


@pytest.mark.parametrize(
    ("spec", "targets"),
    [
        (Spec(problem="several", labels=("a", "b", "c")), [("a",), (), ("b", "c"), ("a", "c")] * 30),
        (Spec(problem="number", labels=("stars",)), [1.0, 2.5, 4.0, 3.0] * 30),
    ],
)
def test_several_labels_and_numbers_have_the_loss_of_their_task(spec: Spec, targets: list[object]) -> None:
    rows = Rows(TRAIN.readings, targets, TRAIN.lines)  # type: ignore[arg-type]
    classifier = tiny_classifier(family="bert", labels=len(spec.labels), pooling="mean")
    started = start_head(classifier, spec, rows, rows, CPU)
    mean = np.mean(np.stack(rows.arrays(spec)), axis=0)
    if spec.problem == "number":
        constant = (
            float(loss(spec, torch.full((120, 1), float(mean[0])), torch.from_numpy(np.stack(rows.arrays(spec))))) / 120
        )
        assert started.validation_loss <= constant + 1e-3
    else:
        entropy = -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)).mean()
        assert started.validation_loss <= entropy + 1e-3


def test_a_model_that_dropout_makes_worse_than_guesses_is_not_chosen() -> None:
    """Two features of which only the small difference tells the labels: large weights that cancel each other."""
    draw = torch.Generator().manual_seed(1)
    targets = torch.arange(400) % 2
    common = torch.randn(400, 1, generator=draw)
    features = torch.cat([common, common + 0.2 * (2 * targets[:, None] - 1)], dim=1)
    given = {}
    for rate in (0.0, 0.1):
        torch.manual_seed(0)
        decay, linear = _choose(
            features,
            2,
            lambda logits: functional.cross_entropy(logits, targets, reduction="sum"),
            features,
            lambda linear, some: float(functional.cross_entropy(linear(some), targets)),
            rate,
        )
        torch.manual_seed(0)
        losses = [functional.cross_entropy(linear(functional.dropout(features, 0.1)), targets) for _ in range(20)]
        given[rate] = decay, float(torch.stack(losses).mean())
    guess = math.log(2)
    assert given[0.0][1] > guess > given[0.1][1]
    assert given[0.0][0] < given[0.1][0]


def test_balanced_weighs_rare_labels_more() -> None:
    few = [i for i, label in enumerate(TRAIN.targets) if label == "good" or i % 10 == 0]
    rows = Rows([TRAIN.readings[i] for i in few], [TRAIN.targets[i] for i in few], range(len(few)))
    given = []
    for balanced in (False, True):
        classifier = tiny_classifier(family="bert", labels=2, pooling="mean")
        started = start_head(classifier, SPEC, rows, VALIDATION, CPU, balanced=balanced)
        given.append(sum(int(logits.argmax() == SPEC.labels.index("bad")) for logits in started.outputs))
    assert given[1] > given[0]


def test_of_many_rows_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bertline.training.head_start.ROWS", 20)
    started = start_head(tiny_classifier(family="bert", labels=2, pooling="mean"), SPEC, TRAIN, VALIDATION, CPU)
    assert list(started.validation.lines) == list(range(0, 60, 3))
    assert len(started.outputs) == 20
