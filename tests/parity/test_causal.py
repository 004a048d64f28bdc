"""A causal language model and its continuations are those of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bertline.encoder.config import EncoderConfig
from bertline.encoder.generation import Sampling, generate, next_logits
from bertline.encoder.masked import MaskedLanguageModel, save_masked
from bertline.encoder.network import load_causal
from bertline.testing.tiny import VOCABULARY, tiny_tokenizer
from tests.parity.peers import FAMILIES, widen
from tests.parity.tolerances import TOLERANCES, difference

pytestmark = pytest.mark.peer

CAUSAL_FAMILIES = [family for family in FAMILIES if family != "distilbert"]


def checkpoint(directory: Path, family: str) -> MaskedLanguageModel:
    pad = {"pad_id": 0, "embedding": 16} if family == "electra" else {"pad_id": 0}
    config = EncoderConfig(
        family=family,  # type: ignore[arg-type]
        vocab_size=len(VOCABULARY), hidden=16, layers=2, heads=2, feed_forward=24, max_positions=24, causal=True, **pad,
    )  # fmt: skip
    model = widen(MaskedLanguageModel(config))
    assert isinstance(model, MaskedLanguageModel)
    save_masked(directory, model)
    return model


@pytest.mark.parametrize("family", CAUSAL_FAMILIES)
def test_checkpoints_go_both_ways_with_the_same_logits(family: str, tmp_path: Path) -> None:
    ours = checkpoint(tmp_path, family)
    theirs: Any = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert theirs.config.is_decoder
    ids = torch.randint(5, len(VOCABULARY), (3, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = ours(ids, None)
        assert difference(logits, theirs(input_ids=ids).logits) <= TOLERANCES["logits"]
    theirs.save_pretrained(tmp_path / "again")
    back = load_causal(tmp_path / "again")
    assert all(torch.equal(one, back.state_dict()[name]) for name, one in ours.state_dict().items())
    changed = ids.clone()
    changed[:, 5:] = ids[:, 5:].flip(1)
    with torch.no_grad():
        assert torch.allclose(ours(changed, None)[:, :5], logits[:, :5], atol=1e-5)


def test_the_most_probable_continuation_is_the_same(tmp_path: Path) -> None:
    ours, tokenizer = checkpoint(tmp_path, "bert"), tiny_tokenizer()
    theirs: Any = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    prompt = [tokenizer.cls_id, *tokenizer.encode_whole(["it is"])[0].ids]
    barred = [tokenizer.pad_id, tokenizer.unknown_id, tokenizer.cls_id, tokenizer.mask_id]
    for length in (1, 12):
        expected = theirs.generate(
            torch.tensor([prompt]), max_new_tokens=length, do_sample=False, suppress_tokens=barred,
            eos_token_id=tokenizer.sep_id, pad_token_id=tokenizer.pad_id,
        )[0, len(prompt):].tolist()  # fmt: skip
        generated = generate(ours, tokenizer, "it is", max_tokens=length)
        assert [*generated.ids, *([tokenizer.sep_id] if generated.ending == "end of text" else [])] == expected
    with torch.no_grad():
        logits = theirs(input_ids=torch.tensor([prompt])).logits[0, -1]
    assert difference(next_logits(ours, prompt).float(), logits) <= TOLERANCES["logits"]
    assert generate(ours, tokenizer, "it is", max_tokens=12, sampling=Sampling(1.0, 1)) == generated
