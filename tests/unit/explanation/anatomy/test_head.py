"""What the head reads and answers, on the numbers that are shown."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.unit.explanation.anatomy.conftest import CASES
from tests.unit.explanation.anatomy.test_steps import seen

CLOSE = {"atol": 1e-5, "rtol": 0}
READS = {
    **dict.fromkeys(("bert", "roberta", "electra", "several", "number", "pairs", "ranker", "filler"), "first token"),
    "distilbert": "mean of all tokens",
    "embedder": "embedding is the mean of all tokens",
    "normalised": "divided by its length",
    "tagger": "each token by itself",
    "filler": "each token by itself",
}
TEXT_HEADS = ("bert", "distilbert", "roberta", "electra", "normalised", "several", "number", "pairs", "ranker")


@pytest.mark.parametrize("case", CASES)
def test_what_is_read_is_named(opened: Any, case: str) -> None:
    found = seen(opened(case)[1], case, layer=1)
    step = found.step("pooled")
    assert READS[case] in step.says
    if case in ("tagger", "filler"):
        np.testing.assert_array_equal(step.values["states"][1], found.step("feed_forward").values["output"])
        return
    pooled, mean = step.values["pooled"], step.values["mean"]
    expected = mean / np.linalg.norm(mean) if case == "normalised" else mean
    equal = np.abs(pooled - expected).max() < 1e-5
    assert equal == ("mean" in step.says)
    first = seen(opened(case)[1], case, layer=1, token=0).step("feed_forward").values["output"]
    np.testing.assert_allclose(step.values["first"], first, atol=1e-9)


@pytest.mark.parametrize("case", TEXT_HEADS)
def test_logits_become_the_answer(opened: Any, case: str) -> None:
    _, model = opened(case)
    found = seen(model, case)
    step = found.step("answer")
    logits, shares, temperature = (step.values[name] for name in ("logits", "probabilities", "temperature"))
    scaled = logits / temperature
    softmax = np.exp(scaled) / np.exp(scaled).sum()
    expected = {"several": 1 / (1 + np.exp(-scaled)), "number": logits, "ranker": 1 / (1 + np.exp(-scaled))}
    np.testing.assert_allclose(shares, expected.get(case, softmax), **CLOSE)
    if case == "number":
        assert f"{shares[0]:.4g}" in step.says
        assert found.answer["number"] == pytest.approx(shares[0], abs=1e-5)
    elif case == "ranker":
        assert found.answer["score"] == pytest.approx(shares[0], abs=1e-5)
    else:
        given = {one["label"]: one["probability"] for one in found.answer["probabilities"]}
        assert [given[label] for label in step.values["labels"]] == pytest.approx(shares.tolist(), abs=1e-5)
    divided = f", divided by the temperature {temperature:.3g}, " if temperature != 1 else " "
    if case not in ("number", "ranker"):
        assert f"{'each of them' if case == 'several' else 'The logits'}{divided}" in step.says
    assert ("sum to 1." in step.says and "need not" not in step.says) == (case not in ("several", "number", "ranker"))
    assert ("temperature" in step.says) == (temperature != 1)
    if "The largest is" in step.says:
        name, share = re.findall(r"that of (.*), (\d+\.\d)\u202f%", step.says)[0]
        assert (name, float(share)) == (step.values["labels"][shares.argmax()], round(100 * shares.max(), 1))


@pytest.mark.parametrize("case", sorted(set(CASES) - set(TEXT_HEADS)))
def test_heads_of_tokens_have_no_logits_of_the_text(opened: Any, case: str) -> None:
    assert "answer" not in [one.name for one in seen(opened(case)[1], case).steps]
