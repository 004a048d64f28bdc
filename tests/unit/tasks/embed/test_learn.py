"""The losses of an embedder: what competes in a batch, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bertline.data.targets import Target
from bertline.tasks.embed import learn
from bertline.tasks.embed.learn import SCALE, groups, loss
from bertline.tasks.embed.spec import Spec
from bertline.text.reading import Input, Piece, Reading, texts_of
from bertline.training.rows import stacked


def targets_of(rows: Sequence[tuple[Input, Target]], spec: Spec | None = None) -> Tensor:
    """Of all texts of all rows."""
    readings = [Reading([Piece([1])] * len(texts_of(one)), 1, input=one, apart=True) for one, _ in rows]
    each = zip(rows, readings, strict=True)
    return torch.from_numpy(stacked([one for (_, target), own in each for one in (spec or Spec()).arrays(target, own)]))


def vectors(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))


def test_of_pairs_it_is_the_cross_entropy_of_the_scaled_cosines() -> None:
    """Multiple negatives ranking of sentence-transformers, per text and not per pair."""
    outputs, targets = vectors(8), targets_of([((f"q{i}", f"a{i}"), ()) for i in range(4)])
    cosines = functional.cosine_similarity(outputs[::2, None], outputs[None, 1::2], dim=2)
    expected = functional.cross_entropy(SCALE * cosines, torch.arange(4))
    assert float(loss(Spec(), outputs, targets)) == pytest.approx(8 * float(expected), rel=1e-5)


def test_every_hard_negative_competes_with_every_positive() -> None:
    outputs, targets = vectors(12), targets_of([((f"q{i}", f"a{i}", f"n{i}"), ()) for i in range(4)])
    others = torch.cat([outputs[1::3], outputs[2::3]])
    cosines = functional.cosine_similarity(outputs[::3, None], others[None], dim=2)
    expected = functional.cross_entropy(SCALE * cosines, torch.arange(4))
    assert float(loss(Spec(), outputs, targets)) == pytest.approx(12 * float(expected), rel=1e-5)


def test_a_text_that_occurs_again_is_no_negative_in_any_spelling() -> None:
    """Two rows have one answer: neither pushes it away."""
    outputs = vectors(6)
    outputs[3] = outputs[1]
    alone = targets_of([(("q0", "Yes "), ()), (("q1", "yes"), ()), (("q2", "no"), ())])
    cosines = functional.cosine_similarity(outputs[::2, None], outputs[None, 1::2], dim=2) * SCALE
    first, second = (functional.cross_entropy(cosines[[i]][:, [i, 2]], torch.tensor([0])) for i in range(2))
    third = functional.cross_entropy(cosines[[2]], torch.tensor([2]))
    expected = (first + second + third) / 3
    assert float(loss(Spec(), outputs, alone)) == pytest.approx(6 * float(expected), rel=1e-5)


def test_the_positives_of_one_anchor_do_not_compete() -> None:
    outputs = vectors(4)
    targets = targets_of([(("q", "a"), ()), (("q", "b"), ())])
    assert float(loss(Spec(), outputs, targets)) == pytest.approx(0.0, abs=1e-6)


def test_texts_with_one_label_attract_each_other() -> None:
    targets = targets_of([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")])
    near = torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]])
    assert float(loss(Spec(), near, targets)) < 1e-6 < float(loss(Spec(), near[[0, 2, 1, 3]], targets))


def test_of_scores_it_is_the_squared_error_of_the_cosine() -> None:
    spec, outputs = Spec(highest=5.0), vectors(4)
    targets = targets_of([(("a", "b"), 5.0), (("c", "d"), 1.0)], spec)
    cosines = functional.cosine_similarity(outputs[::2], outputs[1::2])
    expected = functional.mse_loss(cosines, torch.tensor([1.0, 0.2]))
    assert float(loss(spec, outputs, targets)) == pytest.approx(4 * float(expected), rel=1e-5)


def test_shorter_embeddings_are_learned_too() -> None:
    outputs, targets = vectors(8), targets_of([((f"q{i}", f"a{i}"), ()) for i in range(4)])
    each = [float(loss(Spec(), outputs[:, :length], targets)) for length in (8, 4, 2)]
    assert float(loss(Spec(dimensions=(4, 2)), outputs, targets)) == pytest.approx(sum(each) / 3, rel=1e-5)


def test_texts_of_a_row_share_a_batch_and_so_do_two_of_a_label() -> None:
    pairs = [*targets_of([(("a", "b"), ()), (("c", "d"), ())]).numpy()]
    assert groups(pairs, [0, 0, 1, 1], seed=0) == [[0, 1], [2, 3]]
    labels = "xyxyxz"
    labelled = [*targets_of([(f"t{i}", label) for i, label in enumerate(labels)]).numpy()]
    some = groups(labelled, range(6), seed=0)
    assert all(len(group) == 2 for group in some)
    assert all(labels[one] == labels[other] for one, other in some)
    assert {i for group in some for i in group} == {*range(6)}
    assert [5, 5] in some  # the only one of its label, with itself
    assert some != groups(labelled, range(6), seed=1)
    assert learn.initial_loss(Spec()) is None


def test_a_key_is_the_same_in_any_case_and_white_space() -> None:
    targets = targets_of([(("A  b", "c"), ()), (("a b", "d"), ())])
    assert np.array_equal(targets[0, :2], targets[2, :2])
