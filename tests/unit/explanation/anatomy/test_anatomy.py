"""An anatomy as a whole: the numbers are those of transformers, and what cannot be shown is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from bertline.errors import BundleError, SettingsError, UsageError
from bertline.explanation.words import Word, without
from bertline.library import load
from bertline.testing.tiny import write_tiny_bundle
from tests.unit.explanation.anatomy.claims import check
from tests.unit.explanation.anatomy.test_steps import TEXT

CLOSE = {"atol": 1e-5, "rtol": 0}


@pytest.mark.peer
@pytest.mark.parametrize("case", ["bert", "roberta", "electra"])
def test_the_whole_way_is_that_of_transformers(opened: Any, case: str) -> None:
    bundle, model = opened(case)
    peer = AutoModelForSequenceClassification.from_pretrained(bundle, attn_implementation="eager").eval()
    for layer in (0, 1):
        found = model.anatomy(TEXT, layer=layer, token=2, skip_parts=True)
        ids = torch.tensor([[one.id for one in found.tokens]])
        with torch.inference_mode():
            theirs = peer(ids, output_attentions=True, output_hidden_states=True)
        np.testing.assert_allclose(found.attentions, torch.cat(theirs.attentions).numpy(), **CLOSE)
        states = [one[0, 2].numpy() for one in theirs.hidden_states]
        np.testing.assert_allclose(found.step("projections").values["state"], states[layer], **CLOSE)
        np.testing.assert_allclose(found.step("feed_forward").values["output"], states[layer + 1], **CLOSE)
        np.testing.assert_allclose(found.step("answer").values["logits"], theirs.logits[0].numpy(), **CLOSE)


def test_json_has_every_number_to_six_digits(opened: Any) -> None:
    found = opened("bert")[1].anatomy(TEXT)
    content = json.loads(json.dumps(found.to_json()))
    assert (content["layers"], content["heads"], content["token"]) == (2, 4, 1)
    assert [one["name"] for one in content["steps"]] == [one.name for one in found.steps]
    np.testing.assert_allclose(content["attentions"], found.attentions, atol=5e-7)
    (weights,) = (one["values"]["weights"] for one in content["steps"] if one["name"] == "weights")
    assert weights == content["attentions"][0][0][1]
    assert all(one["says"] and one["formula"] and one["title"] for one in content["steps"])
    assert content["tokens"][0] == {"text": "[CLS]", "id": 2, "kind": "special", "segment": 0}


def test_parts_are_what_the_model_says_of_them(opened: Any) -> None:
    _, model = opened("bert")
    found = model.anatomy(TEXT, window=2).parts
    (label,) = {found.label} & set(model.labels)
    texts = [one.text for one in (*found.words, *found.windows)]
    assert texts[:3] == ["it", "is", "a"]
    assert "is a" in texts
    given = [one.probabilities[label] for one in model.predict([*texts, TEXT])]
    assert [one.shown for one in (*found.words, *found.windows)] + [found.whole] == pytest.approx(given, abs=1e-6)


@pytest.mark.parametrize("case", ["bert", "normalised"])
@pytest.mark.parametrize(
    "text", ["it is not good, an awful zoo is", "I liked it! hated us at so bad", "lol is it a joy :)"]
)
def test_every_claim_about_the_lexicon_holds(opened: Any, case: str, text: str) -> None:
    _, model = opened(case)
    found = model.anatomy(text).parts
    words = [one for one in found.words if one.valence is not None]
    if found.label == "neutral":
        assert not words
        return
    assert words

    def pair(*gone: int) -> float:
        left = without(text, given_words, [place not in gone for place in range(len(given_words))], "delete", "")
        return float(model.predict([left])[0].probabilities[found.label])

    given_words = [Word(one.text, 0, one.start, one.end) for one in found.words]
    assert check(found, model.labels, pair)
    assert [one.without for one in found.words] == pytest.approx([pair(at) for at in range(len(given_words))], abs=1e-6)


@pytest.mark.parametrize("case", ["pairs", "tagger", "embedder", "filler"])
def test_some_have_no_parts(opened: Any, case: str) -> None:
    one = (TEXT, "so") if case == "pairs" else f"{TEXT} [MASK]" if case == "filler" else TEXT
    assert opened(case)[1].anatomy(one).parts is None


def test_the_same_call_twice_is_the_same(opened: Any) -> None:
    _, model = opened("bert")
    assert model.anatomy(TEXT).to_json() == model.anatomy(TEXT).to_json()


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("", {}, "the text has no word that the model reads: give one with letters or digits"),
        ("a " * 63, {}, "the text has 65 tokens and an anatomy shows 64: give a single sentence"),
        (TEXT, {"layer": 2}, "there is no layer 2: choose one from 0 to 1"),
        (TEXT, {"head": 4}, "there is no head 4: choose one from 0 to 3"),
        (TEXT, {"token": 13}, "there is no token 13: choose one from 0 to 12"),
    ],
)
def test_what_cannot_be_shown(opened: Any, text: str, how: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened("bert")[1].anatomy(text, **how)
    assert str(caught.value) == message


def test_a_text_of_several_windows_is_too_long(opened: Any) -> None:
    with pytest.raises(UsageError, match="longer than what the model reads at a time: give a single sentence"):
        opened("tagger")[1].anatomy("a " * 40)


def test_a_text_that_is_cut_says_so(opened: Any) -> None:
    found = opened("bert")[1].anatomy("a " * 40, skip_parts=True)
    assert (len(found.tokens), found.cut_tokens) == (32, 10)


def test_a_window_out_of_its_range(opened: Any) -> None:
    with pytest.raises(SettingsError, match="window"):
        opened("bert")[1].anatomy(TEXT, window=1)


def test_a_bundle_of_an_earlier_version_names_the_remedy(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "old", engine=True, attentions=False)
    with pytest.raises(BundleError) as caught:
        load(tmp_path / "old").anatomy(TEXT)
    assert str(caught.value) == (
        f"{tmp_path / 'old'} has no attentions.onnx, which shows what its layers compute: run bertline optimize on it "
        "where PyTorch is installed"
    )
