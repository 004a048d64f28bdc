"""Logits of both families' own classification heads, and their gradients, are those of transformers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bertline.encoder.keys import classifier_table, to_ours
from tests.parity.peers import FAMILIES, gradients, hf_classifier, hf_configs, our_classifier, samples
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
