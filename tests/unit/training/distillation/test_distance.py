from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from bertline.tasks.tag.spec import Spec as Tagger
from bertline.testing.tiny import random_texts, tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.device import Inputs
from bertline.training.distillation.distance import DISTANCES, Answers, Units, between, mean_of, squared
from bertline.training.distillation.student import student_of
from bertline.training.distillation.task import distillation
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import TrainSettings

LOGITS = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
ONES = torch.ones(4, 1)


def read(number: int, max_tokens: int = 12) -> Rows:
    """Texts of which some are longer than a window."""
    tokenizer = tiny_tokenizer()
    readings = Reader(tokenizer, Truncation(max_tokens, "window"), offsets=True).read(random_texts(number))
    return Rows(readings, (), range(1, number + 1), tokenizer.pad_id)


def test_equal_answers_have_distance_zero_even_with_shifted_logits() -> None:
    for one in DISTANCES.values():
        assert float(one.between(LOGITS, LOGITS).abs().max()) == 0.0
    assert float(squared(LOGITS + 5.0, LOGITS).sum()) == pytest.approx(0.0, abs=1e-6)
    for activation in ("sigmoid", "none"):
        assert float(DISTANCES[activation].between(LOGITS + 5.0, LOGITS).min()) > 0.1


def test_answers_are_as_far_apart_as_their_probabilities_at_a_high_temperature() -> None:
    other, hot = LOGITS.flip(1), 1_000.0
    p, q = (LOGITS.double() / hot).softmax(-1), (other.double() / hot).softmax(-1)
    divergence = float((p * (p / q).log()).sum()) * hot**2
    assert float(squared(other, LOGITS).sum()) == pytest.approx(2 * 3 * divergence, rel=1e-2)


@pytest.mark.parametrize("activation", DISTANCES)
def test_the_distance_adds_up_over_rows(activation: str) -> None:
    other, wanted = LOGITS.flip(1), LOGITS[:, None]
    alone = [float(between(activation, other[i : i + 1], wanted[i : i + 1], ONES[:1])) for i in range(4)]  # type: ignore[arg-type]
    assert float(between(activation, other, wanted, ONES)) == pytest.approx(sum(alone))  # type: ignore[arg-type]


def test_the_distance_of_sigmoids_has_the_gradient_of_cross_entropy_with_the_teachers_probabilities() -> None:
    own = LOGITS.flip(1).requires_grad_(True)
    (slope,) = torch.autograd.grad(DISTANCES["sigmoid"].between(own, LOGITS).sum(), own)
    entropy = functional.binary_cross_entropy_with_logits(own, LOGITS.sigmoid(), reduction="none").mean(1).sum()
    (expected,) = torch.autograd.grad(entropy, own)
    torch.testing.assert_close(slope, expected)


@given(st.integers(0, 2**31 - 1), st.sampled_from([*DISTANCES]))
def test_padding_and_special_tokens_do_not_affect_the_loss(seed: int, activation: str) -> None:
    rows, rng = read(6), np.random.default_rng(seed)
    outputs = [rng.normal(size=(length, 3)).astype(np.float32) for length in rows.lengths]
    answers = Answers.of(outputs, rows, "tags")
    indices = rng.permutation(len(rows)).tolist()
    wanted, weights = answers.batch(indices)
    own = torch.from_numpy(rng.normal(size=wanted.shape).astype(np.float32)).requires_grad_(True)
    counted = torch.zeros_like(weights, dtype=torch.bool)
    for row, i in zip(counted, indices, strict=True):
        row[1 : rows.lengths[i] - 1] = True  # without [CLS], [SEP] and what follows
    loss = between(activation, own, wanted, weights)  # type: ignore[arg-type]
    noise = torch.where(counted[..., None], 0.0, 1e6)
    moved = between(activation, (own + noise).detach(), wanted - noise, weights)  # type: ignore[arg-type]
    assert float(moved) == float(loss.detach())
    (slope,) = torch.autograd.grad(loss, own)
    assert not slope[~counted].any()
    assert slope[counted].any()
    assert float(weights.sum()) == pytest.approx(len(rows))


def test_the_validation_loss_is_the_mean_of_the_batches_losses() -> None:
    rows, rng = read(9), np.random.default_rng(0)
    own, other = ([rng.normal(size=(length, 3)).astype(np.float32) for length in rows.lengths] for _ in range(2))
    teacher = Answers.of(other, rows, "tags")
    assert [one.tolist() for one in teacher.pieces()] == [one.tolist() for one in other]
    student = Answers.of(own, rows, "tags").batch([*range(len(rows))])[0]
    whole = between("softmax", student, *teacher.batch([*range(len(rows))]))
    assert mean_of(squared, own, teacher) == pytest.approx(float(whole) / len(rows), rel=1e-5)


def test_a_tagger_that_has_all_of_its_teacher_has_nothing_to_learn_from_long_texts() -> None:
    teacher = tiny_classifier(family="bert", labels=5, pooling="none").eval().requires_grad_(False)
    rows = read(8)
    assert len(rows) > len(rows.readings)
    answers = Answers.of(score(teacher, rows, torch.device("cpu")), rows, "tags")
    task = distillation(teacher, Tagger(types=("x", "y")), (rows, rows), (answers, answers), TrainSettings())
    indices = [*range(len(rows))]
    batch = rows.batch(indices)
    inputs = Inputs(torch.from_numpy(batch.ids), torch.from_numpy(batch.attend), None)
    student, less = student_of(teacher, [0, 1], dropout=0.0), student_of(teacher, [1], dropout=0.0)
    assert float(task.loss(student, inputs, indices).detach()) == pytest.approx(0.0, abs=1e-5)
    assert float(task.loss(less, inputs, indices).detach()) > 0.01


def test_units_of_texts_are_the_texts() -> None:
    units = Units.of(read(4, max_tokens=64), "logits")
    assert (units.starts.tolist(), units.weights.tolist()) == ([0, 1, 2, 3, 4], [1.0] * 4)
