from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bertline.encoder.config import Family
from bertline.encoder.encoder import Layer
from bertline.encoder.heads import Classifier, Pooling
from bertline.errors import UsageError
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training.device import Placement
from bertline.training.distillation import pruning as subject
from bertline.training.distillation.pruning import Width, busy_heads, head_importance, importance, narrow, with_neurons
from bertline.training.rows import Rows
from bertline.training.scoring import score
from tests.unit.training.conftest import sentences

CPU = Placement(torch.device("cpu"), torch.float32)
WIDTH, HEADS = 64, 4
KINDS: list[tuple[Family, Pooling]] = [("bert", "cls"), ("distilbert", "cls"), ("bert", "mean")]


def rows(number: int = 48) -> Rows:
    tokenizer = tiny_tokenizer()
    readings = Reader(tokenizer, Truncation(64)).read([text for text, _ in sentences(number)])
    return Rows(readings, (), range(1, number + 1), tokenizer.pad_id)


def layers_of(classifier: Classifier) -> list[Layer]:
    return [layer for layer in classifier.encoder.layers if isinstance(layer, Layer)]


def answers(classifier: Classifier) -> np.ndarray:
    return np.stack(score(classifier, rows(), CPU.device))


def silenced(classifier: Classifier, layer: int, neurons: Tensor) -> Classifier:
    copy = with_neurons(classifier, torch.arange(WIDTH).expand(2, -1))
    with torch.no_grad():
        layers_of(copy)[layer].down.weight[:, neurons] = 0
    return copy


@pytest.mark.parametrize(("family", "pooling"), KINDS)
def test_with_all_of_its_neurons_it_is_the_same_network(family: Family, pooling: Pooling) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    assert np.array_equal(answers(narrow(classifier, Width(WIDTH, HEADS), rows(), CPU, seed=0)), answers(classifier))
    copy = with_neurons(classifier, torch.arange(WIDTH).expand(2, -1))
    assert np.array_equal(answers(copy), answers(classifier))


@pytest.mark.parametrize(("family", "pooling"), KINDS)
def test_neurons_that_say_nothing_are_the_ones_left_out_and_the_answers_stay(family: Family, pooling: Pooling) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    alive = torch.stack([torch.randperm(WIDTH, generator=torch.Generator().manual_seed(i))[:24] for i in (1, 2)])
    with torch.no_grad():
        for layer, own in zip(layers_of(classifier), alive, strict=True):
            dead = torch.ones(WIDTH, dtype=torch.bool)
            dead[own] = False
            layer.down.weight[:, dead] = 0
    narrower = narrow(classifier, Width(24, None), rows(), CPU, seed=0)
    assert narrower.config == replace(classifier.config, feed_forward=24)
    assert [layer.up.weight.shape for layer in layers_of(narrower)] == [(24, 32)] * 2
    for layer, before, own in zip(layers_of(narrower), layers_of(classifier), alive, strict=True):
        assert torch.equal(layer.down.weight, before.down.weight[:, own.sort().values])
    # equal but for the order in which a product of another width adds its terms up
    np.testing.assert_allclose(answers(narrower), answers(classifier), rtol=0, atol=2e-6)


@pytest.mark.drill
def test_importance_is_the_expected_square_of_how_far_the_answers_move() -> None:
    """Against the derivative by a gate on each neuron, for each text and label alone."""
    classifier = tiny_classifier(family="bert", labels=3, pooling="cls")
    some = rows(24)
    exact = torch.zeros(2, WIDTH, dtype=torch.float64)
    for _, batch in some.batches(1):  # one text each
        gates = torch.ones(2, WIDTH, requires_grad=True)
        hooks = [
            layer.down.register_forward_pre_hook(lambda _module, given, gate=gate: (given[0] * gate,))
            for layer, gate in zip(layers_of(classifier), gates, strict=True)
        ]
        logits = classifier.eval()(torch.from_numpy(batch.ids), torch.from_numpy(batch.attend))[0]
        for one in logits - logits.mean():
            exact += torch.autograd.grad(one, gates, retain_graph=True)[0].double().square()
        for hook in hooks:
            hook.remove()
    drawn = torch.stack([importance(classifier, some, CPU, seed=seed) for seed in range(400)]).double()
    error = (drawn.mean(0) - exact) / (drawn.std(0) / 20)
    assert float(error.abs().max()) < 6  # standard errors; 128 neurons
    assert float(error.square().mean()) < 1.6


def test_neurons_are_chosen_better_than_the_other_way_round() -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling="cls")
    order = importance(classifier, rows(), CPU, seed=0).argsort(dim=1)
    whole = answers(classifier)
    low, high = (
        np.square(answers(with_neurons(classifier, chosen.sort(dim=1).values)) - whole).sum()
        for chosen in (order[:, 32:], order[:, :32])
    )
    assert low < high / 2


def test_the_least_important_neuron_of_a_layer_moves_the_answers_less_than_the_most_important() -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling="cls")
    found, whole = importance(classifier, rows(), CPU, seed=0), answers(classifier)
    for layer in range(2):
        least, most = (
            np.square(answers(silenced(classifier, layer, which)) - whole).sum()
            for which in (found[layer].argmin()[None], found[layer].argmax()[None])
        )
        assert least < most / 10


def test_choosing_leaves_the_network_alone_and_gives_the_same_neurons_again() -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling="cls").train()
    before = {name: one.clone() for name, one in classifier.state_dict().items()}
    one, other = (narrow(classifier, Width(20, 2), rows(), CPU, seed=3) for _ in range(2))
    assert all(torch.equal(weight, other.state_dict()[name]) for name, weight in one.state_dict().items())
    assert all(torch.equal(weight, before[name]) for name, weight in classifier.state_dict().items())
    assert classifier.training
    assert one.training
    assert all(weight.requires_grad and weight.grad is None for weight in classifier.parameters())
    frozen = narrow(classifier.requires_grad_(False), Width(20, 2), rows(), CPU, seed=3)
    assert all(torch.equal(weight, frozen.state_dict()[name]) for name, weight in one.state_dict().items())


def test_of_many_texts_some_are_read_from_the_first_to_the_last() -> None:
    many = rows(48)
    read = subject._spread(many, sum(many.lengths) // 4)
    assert len(read) == 12
    assert (read.lines[0], read.lines[-1]) == (1, 48)
    assert subject._spread(many, 10 * sum(many.lengths)).readings == many.readings


@pytest.mark.parametrize("width", [0, -3, 65])
def test_a_width_that_is_not_there_is_refused(width: int) -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling="cls")
    with pytest.raises(
        UsageError,
        match=f"--feed-forward is {width}, but each layer of the student has 64 feed-forward neurons: give 1 to 64",
    ):
        narrow(classifier, Width(width, None), rows(), CPU, seed=0)


@pytest.mark.parametrize(("family", "pooling"), KINDS)
def test_heads_that_say_nothing_are_the_ones_left_out_and_the_answers_stay(family: Family, pooling: Pooling) -> None:
    classifier = tiny_classifier(family=family, labels=3, pooling=pooling)
    whole_layers = layers_of(classifier)[: 1 if pooling == "cls" else 2]
    for layer, first in zip(whole_layers, (1, 0), strict=False):
        with torch.no_grad():  # the values stay: only what comes out is nothing
            layer.attention.out.weight[:, 8 * first : 8 * first + 16] = 0
    narrower = narrow(classifier, Width(None, 2), rows(), CPU, seed=0)
    assert busy_heads(narrower) == ([2, 4] if pooling == "cls" else [2, 2])
    assert narrower.config == classifier.config
    assert np.array_equal(answers(narrower), answers(classifier))
    for layer, before, first in zip(layers_of(narrower), whole_layers, (1, 0), strict=False):
        assert not layer.attention.qkv.weight.view(3, 4, 8, 32)[:, first : first + 2].any()
        kept = [head for head in range(4) if head not in (first, first + 1)]
        for one, other in zip(layer.attention.qkv.parameters(), before.attention.qkv.parameters(), strict=True):
            assert torch.equal(*(weights.view(3, 4, 8, -1)[:, kept] for weights in (one, other)))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_pruned_head_is_the_one_that_changes_answers_least(pooling: Pooling) -> None:
    classifier = tiny_classifier(family="bert", labels=3, pooling=pooling)
    whole, whole_layers = answers(classifier), 1 if pooling == "cls" else 2

    def moved(layer: int, head: int) -> float:
        copy = with_neurons(classifier, torch.arange(WIDTH).expand(2, -1))
        with torch.no_grad():
            layers_of(copy)[layer].attention.out.weight[:, 8 * head : 8 * head + 8] = 0
        apart = answers(copy) - whole
        return float(np.square(apart - apart.mean(1, keepdims=True)).sum())

    exact = [[moved(layer, head) for head in range(HEADS)] for layer in range(whole_layers)]
    np.testing.assert_allclose(len(rows()) * head_importance(classifier, rows(), CPU), exact, rtol=1e-4)
    narrower = narrow(classifier, Width(None, 3), rows(), CPU, seed=0)
    for layer, by_head in zip(layers_of(narrower), exact, strict=False):
        assert layer.attention.busy_heads().tolist() == [head != np.argmin(by_head) for head in range(HEADS)]
