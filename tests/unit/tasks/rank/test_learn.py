"""The loss of a ranker is that of transformers for its problem_type, and the highest NDCG wins."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from bertline.tasks.history import EpochRecord
from bertline.tasks.rank.learn import better, initial_loss, loss
from bertline.tasks.rank.spec import Spec


@pytest.mark.peer
@pytest.mark.parametrize("spec", [Spec(), Spec(highest=4.0)])
def test_the_loss_is_that_of_transformers(spec: Spec) -> None:
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = BertConfig(vocab_size=20, num_labels=1, problem_type=spec.problem_type, **small)
    model = BertForSequenceClassification(config).eval()
    ids, targets = torch.randint(0, 20, (5, 6)), torch.tensor([[1.0], [0.0], [1.0], [0.5], [0.0]])
    with torch.inference_mode():
        theirs = model(input_ids=ids, labels=targets)
    assert loss(spec, theirs.logits, targets).item() / 5 == pytest.approx(theirs.loss.item(), rel=1e-5)


def test_an_undecided_network_has_a_loss_of_ln_2() -> None:
    assert loss(Spec(), torch.zeros(3, 1), torch.tensor([[0.0], [1.0], [0.3]])).item() / 3 == pytest.approx(math.log(2))
    assert initial_loss(Spec()) == math.log(2)
    assert initial_loss(Spec(highest=2.0)) is None


def test_the_highest_ndcg_is_best_and_the_loss_decides_between_equals() -> None:
    def record(ndcg: float, validation_loss: float) -> EpochRecord:
        return EpochRecord(1, 1, 1.0, 1, 0.5, validation_loss, {"ndcg_at_10": ndcg})

    assert better(Spec(), [record(0.5, 0.2), record(0.6, 0.9)])
    assert not better(Spec(), [record(0.6, 0.2), record(0.6, 0.3)])
    assert better(Spec(), [record(0.6, 0.3), record(0.6, 0.2)])
