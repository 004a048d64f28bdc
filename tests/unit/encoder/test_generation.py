"""What a causal language model generates, where it stops, and what each context of a text tells."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from bertline.encoder.config import EncoderConfig
from bertline.encoder.context import contexts
from bertline.encoder.generation import Sampling, generate, next_logits
from bertline.encoder.masked import MaskedLanguageModel
from bertline.errors import UsageError
from bertline.testing.tiny import VOCABULARY, tiny_tokenizer

CONFIG = EncoderConfig(
    vocab_size=len(VOCABULARY), hidden=16, layers=2, heads=2, feed_forward=24, max_positions=24, init_std=0.5
)
TOKENIZER = tiny_tokenizer()


def network(*, causal: bool) -> MaskedLanguageModel:
    torch.manual_seed(4)
    return MaskedLanguageModel(replace(CONFIG, causal=causal)).eval()


CAUSAL, MASKED = network(causal=True), network(causal=False)


def always(token: str) -> MaskedLanguageModel:
    """A model whose bias decides alone."""
    model = network(causal=True)
    model.head.bias.data[TOKENIZER.id_of(token)] = 1e4
    return model


def test_special_tokens_are_never_generated_but_the_end_of_the_text_ends_it() -> None:
    ended = generate(always("[SEP]"), TOKENIZER, "it is")
    assert (ended.text, ended.ids, ended.ending) == ("", (), "end of text")
    for token in ("[MASK]", "[UNK]", "[CLS]", "[PAD]"):
        generated = generate(always(token), TOKENIZER, "it is", max_tokens=3)
        assert TOKENIZER.id_of(token) not in generated.ids


def test_it_ends_at_a_limit_or_before_a_stop_string() -> None:
    repeated = generate(always("an"), TOKENIZER, "it is", max_tokens=3)
    assert (repeated.text, repeated.ending) == (" an an an", "max_tokens")
    assert repeated.log_probabilities == pytest.approx([0.0] * 3)
    full = generate(always("an"), TOKENIZER, "it is", max_tokens=99)
    assert (len(full.ids), full.ending) == (24 - 3, "positions")
    stopped = generate(always("an"), TOKENIZER, "it is", stop=["x", "n a"])
    assert (stopped.text, len(stopped.ids), stopped.ending) == (" a", 2, "stop")
    assert generate(always("##n"), TOKENIZER, "", max_tokens=2).text.endswith("n")


def test_tokens_are_drawn_with_their_probabilities() -> None:
    prompt = [TOKENIZER.cls_id, *TOKENIZER.encode_whole(["it is"])[0].ids]
    logits, draws = next_logits(CAUSAL, prompt), 2_000
    top = logits.topk(3).indices.tolist()
    expected = (logits[top] / 1.5).softmax(-1).numpy()
    rng, sampling = np.random.default_rng(0), Sampling(1.5, 3)
    counts = Counter(sampling.chosen(logits, rng) for _ in range(draws))
    assert set(counts) <= set(top)
    for id_, share in zip(top, expected, strict=True):
        assert abs(counts[id_] / draws - share) < 5 * math.sqrt(share * (1 - share) / draws)
    one, same, other = (generate(CAUSAL, TOKENIZER, "it", sampling=Sampling(5.0, seed=seed)) for seed in (0, 0, 1))
    assert one == same != other


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Sampling(-1.0), "temperature is -1: give a number from 0 on, such as 0.8"),
        (lambda: Sampling(1.0, 0), "top_k is 0: give at least 1"),
        (lambda: Sampling(seed=-1), "seed is -1: give 0 or higher"),
        (lambda: Sampling(0.0, 5), "top_k is 5, but a temperature of 0 always takes the most probable token: give a"),
        (lambda: generate(CAUSAL, TOKENIZER, "a", max_tokens=0), "max_tokens must be at least 1"),
        (lambda: generate(CAUSAL, TOKENIZER, "a", stop=[""]), "a stop string is empty: leave it out"),
        (lambda: generate(CAUSAL, TOKENIZER, "a " * 30), "the prompt has 31 tokens, .* the model has 24 positions: sh"),
        (lambda: contexts(CAUSAL, MASKED, TOKENIZER, " "), "the text has no token: give another one"),
        (lambda: contexts(CAUSAL, MASKED, TOKENIZER, "a " * 23), "the text has 25 tokens, .* has only 24 positions: s"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(make: object, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()  # type: ignore[operator]


def test_the_left_probabilities_multiply_to_that_of_the_text() -> None:
    found = contexts(CAUSAL, MASKED, TOKENIZER, "it is an")
    ids = TOKENIZER.encode_whole(["it is an"])[0].ids
    prefixes = [[TOKENIZER.cls_id, *ids[:i]] for i in range(len(ids))]
    expected = [float(next_logits(CAUSAL, some).softmax(-1)[id_]) for some, id_ in zip(prefixes, ids, strict=True)]
    assert [one.left for one in found.tokens] == pytest.approx(expected, rel=1e-4)
    assert found.perplexity == pytest.approx(math.prod(expected) ** (-1 / len(ids)), rel=1e-4)


def test_a_later_token_tells_nothing_from_the_left_and_something_from_both_sides() -> None:
    one, other = (contexts(CAUSAL, MASKED, TOKENIZER, f"it is {last}").tokens[:2] for last in ("an", "or"))
    assert [token.left for token in one] == pytest.approx([token.left for token in other], rel=1e-4)
    assert [token.both for token in one] != pytest.approx([token.both for token in other], rel=1e-4)
    assert [token.left_best for token in one] == [token.left_best for token in other]
