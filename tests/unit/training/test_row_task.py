from __future__ import annotations

import numpy as np
import pytest
import torch

from bertline.data.entities import Entity
from bertline.tasks.classify.learn import balanced_weights, loss
from bertline.tasks.classify.spec import Spec
from bertline.tasks.tag.spec import Spec as Tagger
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Piece, Reader, Reading, Truncation
from bertline.training.device import Inputs, to_device
from bertline.training.row_task import of_spec
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.settings import TrainSettings

ROWS = Rows([Reading([Piece([2, 7 + i, 3])], 3) for i in range(6)], ["a", "b", "b", "a", "b", "b"], range(2, 8))
SPEC = Spec(labels=("a", "b"))
SETTINGS = TrainSettings()


@pytest.mark.parametrize("balanced", [False, True])
def test_to_classify_is_the_cross_entropy_of_the_labels_of_the_rows_in_the_batch(balanced: bool) -> None:
    model = tiny_classifier(family="bert", labels=2, pooling="cls").eval().requires_grad_(False)
    batch = ROWS.batch([4, 0, 3])
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    weights = balanced_weights(SPEC, ROWS.arrays(SPEC)) if balanced else None
    expected = loss(SPEC, model(ids, attend), torch.tensor([1, 0, 0]), class_weights=weights)
    task = of_spec(SPEC, ROWS, ROWS, SETTINGS, balanced=balanced)
    assert torch.equal(task.loss(model, Inputs(ids, attend, None), [4, 0, 3]), expected)


def test_to_classify_takes_a_batch_without_attend() -> None:
    """Its rows have one length: it is the same loss to the bit."""
    model = tiny_classifier(family="bert", labels=2, pooling="mean").eval().requires_grad_(False)
    task, batch = of_spec(SPEC, ROWS, ROWS, SETTINGS), ROWS.batch([4, 0, 3])
    assert not task.reads_attend
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    without, with_attend = (task.loss(model, Inputs(ids, one, None), [4, 0, 3]) for one in (None, attend))
    assert torch.equal(without, with_attend)


def test_the_validation_loss_is_the_mean_over_the_validation_rows() -> None:
    logits = [np.log(np.array([0.5, 0.5]))] * 6
    task = of_spec(SPEC, ROWS, ROWS, SETTINGS)
    assert task.validation_loss(logits) == pytest.approx(np.log(2))
    assert task.figures(logits)["accuracy"] == pytest.approx(2 / 6)  # of equal logits the first is taken


def test_pieces_of_one_text_are_rows_with_their_own_targets_and_padding_has_none() -> None:
    spec = Tagger(types=("x",))
    reader = Reader(tiny_tokenizer(), Truncation(6, "window"), offsets=True)
    readings = reader.read(["a b c d e f", "a b"])
    rows = Rows(readings, [(Entity(0, 1, "x"),), (Entity(2, 3, "x"),)], [1, 2])
    assert len(rows) == len(readings[0].pieces) + 1 > 2
    assert rows.text_of == [0] * len(readings[0].pieces) + [1]
    model = tiny_classifier(family="bert", labels=3, pooling="none").eval().requires_grad_(False)
    task = of_spec(spec, rows, rows, SETTINGS)
    every = [*range(len(rows))]
    together = float(task.loss(model, to_device(rows.batch(every), torch.device("cpu")), every))
    alone = [float(task.loss(model, to_device(rows.batch([i]), torch.device("cpu")), [i])) for i in every]
    assert together == pytest.approx(sum(alone), abs=1e-5)
    outputs = score(model, rows, torch.device("cpu"))
    assert [one.shape for one in outputs] == [(length, 3) for length in rows.lengths]
    assert task.validation_loss(outputs) == pytest.approx(together / len(rows), abs=1e-5)
    assert set(task.figures(outputs)) == {"f1", "precision", "recall"}


def test_the_second_text_of_a_pair_has_its_own_segment() -> None:
    spec = Spec(labels=("a", "b"), reads="pair")
    reader = Reader(tiny_tokenizer(), Truncation(16))
    pairs = Rows(reader.read([("a b", "c d"), ("a b c", "d")]), ["a", "b"], [1, 2])
    inputs = to_device(pairs.batch([0, 1]), torch.device("cpu"))
    assert inputs.segments is not None
    model = tiny_classifier(family="bert", labels=2, pooling="cls").eval().requires_grad_(False)
    expected = loss(spec, model(inputs.ids, inputs.attend, inputs.segments), torch.tensor([0, 1]))
    assert torch.equal(of_spec(spec, pairs, pairs, SETTINGS).loss(model, inputs, [0, 1]), expected)
