"""Every claim of every paragraph, on the numbers that are shown beside it, for several families and heads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from bertline.explanation.anatomy.found import Anatomy, Step
from bertline.library.model import Model
from bertline.text import Tokenizer
from bertline.text.reading import texts_of
from tests.nightly import mostly_nightly
from tests.unit.explanation.anatomy.conftest import CASES

TEXT = "it is a zoo, long"
CLOSE = {"atol": 1e-5, "rtol": 0}
PLACES = mostly_nightly(
    [(0, 0, 1), (1, 3, 4), (0, 0, 4), (0, 3, 1), (0, 3, 4), (1, 0, 1), (1, 0, 4), (1, 3, 1)], always=2
)
cases = pytest.mark.parametrize("case", CASES)


def text_of(case: str) -> Any:
    return (TEXT, "so it is") if case in ("pairs", "ranker") else f"{TEXT} [MASK]" if case == "filler" else TEXT


def seen(model: Model, case: str, layer: int = 0, head: int = 0, token: int = 1) -> Anatomy:
    return model.anatomy(text_of(case), layer=layer, head=head, token=token, skip_parts=True)


def numbers(step: Step) -> list[float]:
    """The numbers with a fraction, in a paragraph's words."""
    return [float(one.replace("−", "-")) for one in re.findall(r"−?\d+\.\d+", step.says)]


def quoted(step: Step) -> list[str]:
    return re.findall("“(.*?)”", step.says)


@cases
def test_characters_are_counted(opened: Any, case: str) -> None:
    step = seen(opened(case)[1], case).step("characters")
    texts = texts_of(text_of(case))
    number = sum(map(len, texts))
    assert step.values == {"characters": number}
    assert step.says.startswith(f"The text{'s have' if len(texts) > 1 else ' has'} {number} characters. ")


def test_one_character_is_one(opened: Any) -> None:
    found = opened("bert")[1].anatomy("a", skip_parts=True)
    assert found.step("characters").says.startswith("The text has 1 character. ")


@cases
def test_pieces_are_the_longest_of_the_vocabulary_from_the_left(opened: Any, case: str) -> None:
    bundle, model = opened(case)
    found, tokenizer = seen(model, case), Tokenizer.from_bundle(bundle)
    step = found.step("tokens")
    assert step.values["ids"] == [one.id for one in found.tokens]
    assert f"{len(found.tokens)} tokens" in step.says
    assert [one.text for one in found.tokens] == tokenizer.tokens(step.values["ids"])
    assert (found.tokens[0].text, found.tokens[-1].text) == ("[CLS]", "[SEP]")
    pieces = [one.text for one in found.tokens if one.kind != "special"]
    assert pieces[:6] == ["it", "is", "a", "z", "##o", "##o"]
    rest, start = "zoo", ""
    for piece in pieces[3:6]:
        longest = max(
            (rest[:end] for end in range(1, len(rest) + 1) if tokenizer.id_of(start + rest[:end]) is not None), key=len
        )
        assert piece == start + longest
        rest, start = rest.removeprefix(longest), "##"
    assert [one.kind for one in found.tokens[:6]] == ["special", "word", "word", "word", "word", "piece"]


@cases
def test_embeddings_are_a_sum_and_its_norm(opened: Any, case: str) -> None:
    bundle, model = opened(case)
    weights = plain_weights(bundle)
    one, other = (seen(model, case, token=token).step("embeddings").values for token in (5, 6))
    for values in (one, other):
        parts = [values[name] for name in ("token", "position", "segment") if name in values]
        np.testing.assert_allclose(sum(parts), values["sum"], **CLOSE)
        summed = values["sum"]
        even = (summed - summed.mean()) / np.sqrt(summed.var() + 1e-12)
        norm = [weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")]
        np.testing.assert_allclose(values["normalised"], even * norm[0] + norm[1], **CLOSE)
    np.testing.assert_array_equal(one["token"], other["token"])  # both are ##o
    assert np.abs(one["normalised"] - other["normalised"]).max() > 0.1, "the same word at another place"
    says = seen(model, case, token=5).step("embeddings").says
    assert ("segment" in one) == ("segment" in says) == (case != "distilbert")
    assert "“##o”" in says
    assert ("state" in one) == ("widens it to 32" in says) == (case == "electra")


@cases
@pytest.mark.parametrize(("layer", "head", "token"), PLACES)
def test_projections_are_of_the_same_states(opened: Any, case: str, layer: int, head: int, token: int) -> None:
    bundle, model = opened(case)
    values, weights = seen(model, case, layer, head, token).step("projections").values, plain_weights(bundle)
    own = slice(8 * head, 8 * head + 8)
    for name in ("query", "key", "value"):
        weight, bias = (weights[names(bundle, layer, name, part)][own] for part in ("weight", "bias"))
        np.testing.assert_allclose(values[name], weight @ values["state"] + bias, **CLOSE)
    np.testing.assert_array_equal(values["queries"][token], values["query"])
    np.testing.assert_array_equal(values["keys"][token], values["key"])
    np.testing.assert_array_equal(values["values"][token], values["value"])


@cases
@pytest.mark.parametrize(("layer", "head", "token"), PLACES)
def test_one_head_from_scores_to_its_result(opened: Any, case: str, layer: int, head: int, token: int) -> None:
    found = seen(opened(case)[1], case, layer, head, token)
    vectors, scores = found.step("projections").values, found.step("scores")
    own = scores.values["scores"]
    np.testing.assert_allclose(own, vectors["keys"] @ vectors["query"] / np.sqrt(8), **CLOSE)
    texts = [one.text for one in found.tokens]
    assert numbers(scores) == [round(float(own.max()), 2), round(float(own.min()), 2)]
    assert quoted(scores) == [texts[token], texts[own.argmax()], texts[own.argmin()]]
    assert "√8" in scores.says
    step = found.step("weights")
    weights = step.values["weights"]
    np.testing.assert_allclose(weights, np.exp(own) / np.exp(own).sum(), **CLOSE)
    assert weights.min() > 0
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert (quoted(step), numbers(step)) == ([texts[weights.argmax()]], [round(100 * float(weights.max()), 1)])
    mixed = found.step("mixed").values
    np.testing.assert_allclose(mixed["mixed"], mixed["weights"] @ mixed["values"], **CLOSE)
    assert (mixed["mixed"] <= mixed["values"].max(axis=0) + 1e-6).all()
    assert (mixed["mixed"] >= mixed["values"].min(axis=0) - 1e-6).all()
    both = found.step("both_ways")
    causal = both.values["causal"]
    assert causal[token + 1 :].tolist() == [0.0] * (len(texts) - token - 1)
    np.testing.assert_allclose(causal[: token + 1], weights[: token + 1] / weights[: token + 1].sum(), **CLOSE)
    assert numbers(both) == [round(100 * float(weights[token + 1 :].sum()), 1)]
    np.testing.assert_array_equal(found.attentions[layer, head, token], weights)


@cases
@pytest.mark.parametrize(("layer", "head", "token"), PLACES)
def test_from_the_heads_to_the_layers_end(opened: Any, case: str, layer: int, head: int, token: int) -> None:
    bundle, model = opened(case)
    found, weights = seen(model, case, layer, head, token), plain_weights(bundle)
    joined, fed = found.step("joined"), found.step("feed_forward")
    np.testing.assert_array_equal(joined.values["heads"][head], found.step("mixed").values["mixed"])
    assert "4 heads" in joined.says
    assert "4 × 8 = 32" in joined.says

    def dense(name: str, vector: Any) -> Any:
        weight, bias = (weights[names(bundle, layer, name, part)] for part in ("weight", "bias"))
        return weight @ vector + bias

    def norm(name: str, vector: Any) -> Any:
        weight, bias = (weights[names(bundle, layer, name, part)] for part in ("weight", "bias"))
        return (vector - vector.mean()) / np.sqrt(vector.var() + 1e-12) * weight + bias

    attended = norm("attention_norm", joined.values["state"] + dense("out", joined.values["heads"].ravel()))
    np.testing.assert_allclose(joined.values["attended"], attended, **CLOSE)
    inner = fed.values["inner"]
    before = dense("up", fed.values["attended"])
    assert ((inner > 0) == (before > 0)).all()
    assert f"{(inner > 0).sum()} of 64 inner numbers" in fed.says
    assert "32 → 64 → 32" in fed.says
    output = norm("output_norm", dense("down", inner) + fed.values["attended"])
    np.testing.assert_allclose(fed.values["output"], output, **CLOSE)
    following = "layer 2 reads" if layer == 0 else "the head reads"
    assert fed.says.endswith(f"{following}.")
    if layer == 0:
        next_state = seen(model, case, 1, head, token).step("projections").values["state"]
        np.testing.assert_array_equal(fed.values["output"], next_state)


@cases
def test_the_feed_forward_network_mixes_no_tokens(opened: Any, case: str) -> None:
    """Another token elsewhere changes what it computes only through what attention gave it."""
    bundle, model = opened(case)
    weights = plain_weights(bundle)
    values = [seen(model, case, 1, 0, token).step("feed_forward").values for token in (1, 2)]
    for one in values:
        up = weights[names(bundle, 1, "up", "weight")] @ one["attended"] + weights[names(bundle, 1, "up", "bias")]
        assert np.sign(one["inner"]).tolist() == np.sign(up).tolist()


LAYER = {
    "query": ("attention.self.query", "attention.q_lin"),
    "key": ("attention.self.key", "attention.k_lin"),
    "value": ("attention.self.value", "attention.v_lin"),
    "out": ("attention.output.dense", "attention.out_lin"),
    "attention_norm": ("attention.output.LayerNorm", "sa_layer_norm"),
    "up": ("intermediate.dense", "ffn.lin1"),
    "down": ("output.dense", "ffn.lin2"),
    "output_norm": ("output.LayerNorm", "output_layer_norm"),
}


def plain_weights(bundle: Path) -> dict[str, Any]:
    """The checkpoint's weights, without the family's prefix, as Hugging Face names them."""
    families = ("bert.", "distilbert.", "roberta.", "electra.")
    loaded = load_file(bundle / "model.safetensors")
    return {
        next((name.removeprefix(one) for one in families if name.startswith(one)), name): value
        for name, value in loaded.items()
    }


def names(bundle: Path, layer: int, name: str, part: str) -> str:
    bert, distilbert = LAYER[name]
    if any(one.startswith("transformer.") for one in plain_weights(bundle)):
        return f"transformer.layer.{layer}.{distilbert}.{part}"
    return f"encoder.layer.{layer}.{bert}.{part}"
