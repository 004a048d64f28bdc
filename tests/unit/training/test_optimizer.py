from __future__ import annotations

import copy

import pytest
import torch

from bertline.encoder.heads import Classifier
from bertline.tasks.classify.learn import loss
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_classifier
from bertline.training.optimizer import Optimizer
from bertline.training.settings import TrainSettings

SETTINGS = TrainSettings(lr=1e-2, weight_decay=0.1, clip_norm=0.5)
IDS = torch.tensor([[2, 7, 8, 3], [2, 9, 10, 3]])


def backward(model: Classifier, ids: torch.Tensor = IDS) -> None:
    logits = model.eval()(ids, torch.ones_like(ids, dtype=torch.bool))
    loss(Spec(labels=("a", "b")), logits, torch.tensor([0, 1])).backward()


@pytest.fixture
def model() -> Classifier:
    return tiny_classifier(family="bert", labels=2, pooling="cls")


def test_a_step_is_adamw_with_clipping(model: Classifier) -> None:
    reference = copy.deepcopy(model)
    named = dict(reference.named_parameters())
    decays = [one for name, one in named.items() if one.dim() > 1 and "embeddings" not in name]
    rest = [one for one in named.values() if not any(one is other for other in decays)]
    adamw = torch.optim.AdamW(
        [{"params": decays, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=1e-2 * 0.5
    )
    backward(reference)
    norm = torch.nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
    adamw.step()

    optimizer = Optimizer(model, SETTINGS)
    backward(model)
    assert optimizer.step(0.5) == pytest.approx(float(norm), rel=1e-5)
    for name, parameter in model.named_parameters():
        # SparseAdam adds epsilon before it corrects the bias; beside gradients above 1e-4 that is nothing
        gradient = named[name].grad
        felt = gradient.abs() > 1e-4 if gradient is not None else torch.zeros_like(parameter, dtype=torch.bool)
        torch.testing.assert_close(parameter[felt], named[name][felt], atol=2e-5, rtol=1e-4, msg=name)


def test_only_the_embeddings_of_the_batch_change(model: Classifier) -> None:
    before = model.encoder.embeddings.token.weight.detach().clone()
    optimizer = Optimizer(model, SETTINGS)
    backward(model)
    optimizer.step(1.0)
    changed = (model.encoder.embeddings.token.weight != before).any(1).nonzero().flatten().tolist()
    assert changed == sorted(set(IDS.flatten().tolist()))


def test_its_state_round_trips_through_tensors(model: Classifier) -> None:
    first = Optimizer(model, SETTINGS)
    backward(model)
    first.step(1.0)
    twin = copy.deepcopy(model)
    second = Optimizer(twin, SETTINGS)
    second.load_state({name: one.clone() for name, one in first.state().items()})
    for one, optimizer in ((model, first), (twin, second)):
        backward(one, IDS.flip(0))
        optimizer.step(0.7)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
