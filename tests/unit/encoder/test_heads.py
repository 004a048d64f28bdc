from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertline.data.batching import pad, plan
from bertline.encoder.config import EncoderConfig
from bertline.encoder.heads import Classifier, FirstTokenHead, MeanHead, Pooling, mean_pool

TEXTS = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=10), min_size=1, max_size=5)
STATES = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(1))
ATTEND = torch.tensor([[True, True, True], [True, False, False]])


@cache
def classifier_of(config: EncoderConfig, pooling: Pooling = "cls", labels: int = 3) -> Classifier:
    torch.manual_seed(0)
    return Classifier(config, labels, pooling).eval()


def logits(classifier: Classifier, texts: list[list[int]], extra_tokens: int = 0) -> torch.Tensor:
    batch = pad(texts, classifier.config.pad_id)
    ids, attend = torch.from_numpy(batch.ids), torch.from_numpy(batch.attend)
    ids = torch.nn.functional.pad(ids, (0, extra_tokens), value=classifier.config.pad_id)
    with torch.no_grad():
        return classifier(ids, torch.nn.functional.pad(attend, (0, extra_tokens)))


@pytest.mark.parametrize("pooling", ["cls", "mean", "normalised"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=TEXTS,
    budget=st.integers(1, 80),
    seed=st.none() | st.integers(0, 9),
    data=st.data(),
)
def test_batches_order_and_padding_do_not_change_an_answer(
    config: EncoderConfig,
    pooling: Pooling,
    texts: list[list[int]],
    budget: int,
    seed: int | None,
    data: st.DataObject,
) -> None:
    classifier = classifier_of(config, pooling)
    alone = torch.cat([logits(classifier, [text]) for text in texts])
    rows = data.draw(st.permutations(range(len(texts))))
    shuffled = [texts[row] for row in rows]
    for batch in plan([len(text) for text in shuffled], budget, seed=seed):
        chosen = [shuffled[i] for i in batch]
        room = config.max_tokens - max(len(text) for text in chosen)
        found = logits(classifier, chosen, data.draw(st.integers(0, room)))
        assert torch.allclose(found, alone[[rows[i] for i in batch]], atol=1e-5)


def test_the_head_of_each_family_is_an_activation_of_the_first_token(config: EncoderConfig) -> None:
    head = classifier_of(config).head.eval()
    assert isinstance(head, FirstTokenHead)
    dense = STATES[:, 0] @ head.dense.weight.T + head.dense.bias
    expected = head.out(dense.clamp(min=0) if config.family == "distilbert" else torch.tanh(dense))
    assert torch.allclose(head(STATES, ATTEND), expected, atol=1e-6)
    assert isinstance(classifier_of(config, "mean").head, MeanHead)


def test_the_mean_is_of_real_tokens_only(config: EncoderConfig) -> None:
    pooled = mean_pool(STATES, ATTEND).numpy()
    np.testing.assert_allclose(pooled[0], STATES[0].numpy().mean(0), atol=1e-6)
    np.testing.assert_allclose(pooled[1], STATES[1, 0].numpy(), atol=1e-6)
    head = MeanHead(config, 4).eval()
    assert torch.allclose(head(STATES, ATTEND), head.out(mean_pool(STATES, ATTEND)), atol=1e-6)


@pytest.mark.parametrize("tokens", [1, 3, 17, 300])
def test_the_mean_without_attend_is_that_of_all_tokens_to_the_bit(tokens: int) -> None:
    states = torch.randn(4, tokens, 12, generator=torch.Generator().manual_seed(2))
    every = torch.ones(4, tokens, dtype=torch.bool)
    assert torch.equal(mean_pool(states, None), mean_pool(states, every))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_without_attend_every_token_is_real_in_training_too(config: EncoderConfig, pooling: Pooling) -> None:
    """The same dropout, the same logits and the same gradients, to the bit."""
    classifier = classifier_of(config, pooling).train()
    ids = torch.randint(1, 20, (3, 7), generator=torch.Generator().manual_seed(3))
    found = []
    for attend in (None, torch.ones_like(ids, dtype=torch.bool)):
        classifier.zero_grad()
        torch.manual_seed(4)
        logits = classifier(ids, attend)
        logits.square().sum().backward()
        found.append([logits.detach(), *(one.grad.clone() for one in classifier.parameters() if one.grad is not None)])
    classifier.eval()
    assert len(found[0]) > 20
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_initial_logits_of_a_fresh_head_are_small(config: EncoderConfig, pooling: Pooling) -> None:
    head = classifier_of(config, pooling).head
    assert not any(one.any() for name, one in head.named_parameters() if name.endswith("bias"))
    std = torch.cat([one.flatten() for name, one in head.named_parameters() if name.endswith("weight")]).std()
    assert 0.5 < float(std.detach()) / config.init_std < 2


def test_dropout_before_the_labels_is_of_training_only() -> None:
    for kind in (FirstTokenHead, MeanHead):
        head = kind(EncoderConfig(vocab_size=9, hidden=12, heads=3, classifier_dropout=0.5), 4).eval()
        assert torch.equal(head(STATES, ATTEND), head(STATES, ATTEND))
        head.train()
        assert not torch.equal(head(STATES, ATTEND), head(STATES, ATTEND))
