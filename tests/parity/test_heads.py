"""Logits of both families' own heads, for texts and for tokens, and their gradients are those of transformers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bertline.encoder.heads import TokenHead
from bertline.encoder.keys import classifier_table, to_ours
from tests.parity.peers import (
    FAMILIES,
    gradients,
    hf_classifier,
    hf_config,
    hf_configs,
    hf_tagger,
    our_classifier,
    samples,
)
from tests.parity.tolerances import TOLERANCES, difference, relative_difference

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15)
@given(data=st.data(), labels=st.integers(2, 5))
def test_logits_and_the_gradient_of_every_parameter(
    family: str, attention: str, data: st.DataObject, labels: int
) -> None:
    config = data.draw(hf_configs(family, attention))
    sample = data.draw(samples(config))
    model = hf_classifier(config, labels)
    classifier = our_classifier(model, labels)
    truth = torch.arange(len(sample.ids)) % labels
    theirs = model(**sample.hf(), labels=truth)
    ours = classifier(sample.ids, sample.attend)
    assert difference(ours, theirs.logits) <= TOLERANCES["logits"]
    theirs.loss.backward()
    functional.cross_entropy(ours, truth).backward()
    expected = to_ours(gradients(model), classifier_table(classifier.config, pooling="cls"))
    found = gradients(classifier)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert relative_difference(gradient, expected[name]) <= TOLERANCES["gradients"], name


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15)
@given(data=st.data(), labels=st.integers(2, 5))
def test_tags_and_the_gradient_of_every_parameter(family: str, data: st.DataObject, labels: int) -> None:
    config = data.draw(hf_configs(family))
    sample = data.draw(samples(config))
    model = hf_tagger(config, labels)
    tagger = our_classifier(model, labels, "none")
    truth = (torch.arange(sample.ids.numel()).reshape(sample.ids.shape) % labels).masked_fill(~sample.attend, -100)
    theirs = model(**sample.hf(), labels=truth)
    ours = tagger(sample.ids, sample.attend)
    assert difference(ours[sample.attend], theirs.logits[sample.attend]) <= TOLERANCES["logits"]
    theirs.loss.backward()
    functional.cross_entropy(ours.transpose(1, 2), truth).backward()
    expected = to_ours(gradients(model), classifier_table(tagger.config, pooling="none"))
    computed = gradients(tagger)
    assert computed.keys() == expected.keys()
    for name, gradient in computed.items():
        assert relative_difference(gradient, expected[name]) <= TOLERANCES["gradients"], name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classifier_dropout", [None, 0.35])
def test_the_dropout_before_tags(family: str, classifier_dropout: float | None) -> None:
    rates = {"dropout": 0.15, "classifier_dropout": classifier_dropout}
    values = {"vocab_size": 9, "hidden": 8, "heads": 2, "layers": 1, "feed_forward": 8}
    config = hf_config(family, values | {name: rate for name, rate in rates.items() if rate})
    model = hf_tagger(config, 3)
    head = our_classifier(model, 3, "none").head
    assert isinstance(head, TokenHead)
    assert head.dropout.p == model.dropout.p
