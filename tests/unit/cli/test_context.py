"""A causal language model on the command line: pre-trained, continued, and beside a masked one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import typer
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner, Result

from bertline.cli.context import register as register_context
from bertline.cli.generate import register as register_generate
from bertline.cli.pretrain import register as register_pretrain
from bertline.testing.tiny import random_texts, tiny_tokenizer
from bertline.text import Tokenizer

app = typer.Typer(pretty_exceptions_enable=False)
for register in (register_context, register_generate, register_pretrain):
    register(app)

SHAPE = "--layers 1 --hidden 16 --heads 2 --feed-forward 32 --sequence-tokens 32 --batch-tokens 256 --measurements 2"
TEXT = "it is on us"


def bertline(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Directories of a causal and a masked model with one vocabulary, from the same texts."""
    folder = tmp_path_factory.mktemp("causal")
    (folder / "vocabulary").mkdir()
    tiny_tokenizer().save(folder / "vocabulary")
    texts = folder / "films.csv"
    texts.write_text("text\n" + "".join(f'"{text}"\n' for text in random_texts(200)))
    out: dict[str, str] = {}
    for kind, flags in (("causal", ["--causal"]), ("masked", [])):
        out[kind] = str(folder / kind)
        result = bertline(
            "pretrain", str(texts), "--vocab", str(folder / "vocabulary"), *SHAPE.split(), "--out", out[kind], *flags
        )
        assert result.exit_code == 0, result.output
        if kind == "causal":
            assert "next token accuracy" in result.stderr
            assert f"Try it  bertline generate {out[kind]} " in result.stderr
    return out


def test_the_same_beginning_is_continued_alike_and_ends_where_it_is_told_to(models: dict[str, str]) -> None:
    first, second = (bertline("generate", models["causal"], TEXT, "--max-tokens", "5", "--json") for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    assert len(found["ids"]) <= 5
    plain = bertline("generate", models["causal"], TEXT, "--max-tokens", "5")
    assert plain.stdout == TEXT + found["text"] + "\n"


def test_its_probabilities_are_those_of_transformers(models: dict[str, str]) -> None:
    found = json.loads(bertline("context", models["causal"], models["masked"], TEXT, "--json").stdout)
    tokenizer = Tokenizer.from_directory(Path(models["causal"]))
    own = tokenizer.encode_whole([TEXT])[0].ids
    theirs = AutoModelForCausalLM.from_pretrained(models["causal"]).eval()
    with torch.inference_mode():
        logits = theirs(torch.tensor([[tokenizer.cls_id, *own, tokenizer.sep_id]])).logits[0]
    expected = logits[: len(own)].double().softmax(-1)[range(len(own)), own]
    left = [token["left"] for token in found["tokens"]]
    assert left == pytest.approx(expected.tolist(), abs=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(-sum(map(math.log, left)) / len(left)))


def test_the_table_shows_what_each_token_may_see(models: dict[str, str]) -> None:
    said = bertline("context", models["causal"], models["masked"], TEXT).stdout
    rows = [line.split() for line in said.splitlines()]
    assert next(row for row in rows if row[:1] == ["is"])[1] == "●?··"
    assert "●?●●" in next(row for row in rows if row[:1] == ["is"])
    assert "Perplexity from the left " in said
    assert "pseudo-perplexity from both sides " in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "{masked}", "it"), "is not a causal language model (is_decoder in config.json): give one that"),
        (("context", "{masked}", "{causal}", "it"), "is not a causal language model (is_decoder in config.json)"),
        (("context", "{causal}", "{causal}", "it"), "is a causal language model (is_decoder in config.json), in which"),
        (("generate", "{causal}", "it", "--temperature", "-1"), "temperature is -1: give a number from 0 on"),
        (("generate", "{causal}", "it", "--top-k", "5"), "top_k is 5, but a temperature of 0 always takes"),
        (
            ("generate", "{causal}", "it " * 40),
            "the prompt has 41 tokens, [CLS] included, and the model has 32 positions: shorten it",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(models: dict[str, str], arguments: tuple[str, ...], message: str) -> None:
    result = bertline(*(one.format(**models) for one in arguments))
    assert result.exit_code != 0
    assert message in str(result.exception)


def test_a_causal_model_hides_no_token_and_needs_a_family_that_has_one(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(random_texts(50)))
    tiny_tokenizer().save(tmp_path)
    common = (
        "pretrain",
        str(tmp_path / "texts.txt"),
        "--vocab",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
        "--causal",
    )
    masked = bertline(*common, "--mask-share", "0.3")
    assert "mask_share cannot be chosen with --causal, which hides no token: leave it out" in str(masked.exception)
    other = bertline(*common, "--family", "distilbert")
    assert "causal needs --family bert" in str(other.exception)
