"""The command with a model that fills in words, which is made of a published checkpoint: texts, lines and tables."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bertline.bundle import load
from bertline.cli.main import application
from bertline.cli.predict_lines import _rounded, mask_lines
from bertline.deploy.measuring import example_of
from bertline.encoder.checkpoint import save_encoder
from bertline.encoder.masked import MaskedLanguageModel, save_masked
from bertline.errors import BundleError, CheckpointError, DataError, SettingsError, UsageError
from bertline.inference import load_predictor
from bertline.tasks.fill.spec import NOT_TRAINED, Spec
from bertline.testing.tiny import tiny_classifier, tiny_masked, tiny_tokenizer
from tests.tokenizers import FAIRSEQ, bpe

TEXTS = ["a [MASK] is", "an [MASK] at\ton [MASK] !"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoints") / "tiny-mlm"
    directory.mkdir()
    save_masked(directory, tiny_masked(family="distilbert"))
    tiny_tokenizer().save(directory, max_tokens=64)
    return directory


def run(*arguments: object, text: str | None = None) -> str:
    """What a command prints; its error is raised."""
    result = CliRunner().invoke(application(), [*map(str, arguments)], input=text)
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.stdout


def imported(*arguments: object) -> str:
    return run("models", "import", *arguments)


@pytest.fixture(scope="module")
def words(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imported") / "words"
    out = imported(checkpoint, "--out", path)
    assert out == f"{path} is a bundle for the task fill: bertline predict {path} TEXT, with [MASK] in the text\n"
    return path


def test_a_family_that_counts_positions_from_its_padding_reads_as_many_tokens_as_it_has_places_for(
    tmp_path: Path,
) -> None:
    model = tiny_masked(family="roberta")
    checkpoint = tmp_path / "roberta"
    checkpoint.mkdir()
    save_masked(checkpoint, model)
    tiny_tokenizer().save(checkpoint, max_tokens=64)
    imported(checkpoint, "--out", tmp_path / "words")
    assert load(tmp_path / "words").manifest.max_tokens == 64 < model.config.max_positions
    long = f"a [MASK] film {'good ' * 90}"  # windows of all 64 tokens
    assert json.loads(run("predict", tmp_path / "words", long, "--json"))["cut_tokens"] == 0


def test_what_stands_for_a_word_is_the_models_own(tmp_path: Path) -> None:
    checkpoint, words = tmp_path / "roberta", tmp_path / "words"
    fast = bpe()
    sizes = {"vocab_size": fast.get_vocab_size(), "pad_id": FAIRSEQ.index("<pad>")}
    checkpoint.mkdir()
    save_masked(checkpoint, MaskedLanguageModel(replace(tiny_masked(family="roberta").config, **sizes)))
    fast.save(str(checkpoint / "tokenizer.json"))
    roles = {"unk": "<unk>", "sep": "</s>", "pad": "<pad>", "cls": "<s>", "mask": "<mask>"}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **{f"{name}_token": one for name, one in roles.items()}}
    (checkpoint / "tokenizer_config.json").write_text(json.dumps(config))
    assert imported(checkpoint, "--out", words).endswith("TEXT, with <mask> in the text\n")
    card = (words / "README.md").read_text(encoding="utf-8")
    assert 'bertline predict words "a <mask>"' in card
    assert '("a <mask>")' in card
    assert example_of(load(words)) == {"text": "Paris is the <mask> of France."}
    run("predict", words, "a good<mask>")
    with pytest.raises(UsageError, match="has no <mask>: write <mask> where a word is to be filled in"):
        run("predict", words, "a good film")


def test_an_imported_bundle_is_sealed_and_has_an_engine_with_probes(words: Path) -> None:
    manifest = load(words).manifest
    assert (manifest.task, manifest.max_tokens, manifest.truncation) == (Spec(), 64, "window")
    assert manifest.lineage == {"base_model": "tiny-mlm"}
    assert [one.outputs for one in manifest.engines] == [("vocabulary",)]
    assert {"engines/probes.json", "model.onnx", "embedding.onnx", "README.md"} <= set(manifest.files)
    engine, torch = (load_predictor(words, engine=one).predict(TEXTS) for one in ("fp32", "torch"))
    assert [one.filled for one in engine] == [one.filled for one in torch]
    card = (words / "README.md").read_text(encoding="utf-8")
    assert "fills in words" in card
    assert "classifier" not in card
    assert "pipeline_tag: fill-mask" in card


def test_what_cannot_be_imported(checkpoint: Path, words: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    save_encoder(encoder, tiny_classifier(family="bert", labels=2, pooling="cls").encoder)
    with pytest.raises(
        CheckpointError, match=r"encoder is neither a masked language model .* nor a model of sentence-transformers"
    ):
        imported(encoder, "--out", tmp_path / "out")
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    with pytest.raises(CheckpointError, match=r"encoder has no masked-language-model head, so it cannot fill in words"):
        imported(encoder, "--out", tmp_path / "out")
    with pytest.raises(SettingsError, match=r"max_tokens is 65 and .* has 64 positions: give a number from 4 to 64"):
        imported(checkpoint, "--out", tmp_path / "out", "--max-tokens", 65)
    with pytest.raises(BundleError, match="--overwrite"):
        imported(checkpoint, "--out", words)


def test_texts_are_answered_as_json_and_between_tabs(words: Path) -> None:
    predictor = load_predictor(words)
    expected = predictor.predict(TEXTS)
    lines = run("predict", words, *TEXTS, "--json").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"text": text, **_rounded(one.to_json())} for text, one in zip(TEXTS, expected, strict=True)
    ]
    rows = [line.split("\t") for line in run("predict", words, *TEXTS).splitlines()]
    assert [filled for filled, *_ in rows] == [one.filled.replace("\t", " ") for one in expected]
    assert isinstance(predictor.spec, Spec)
    [one] = predictor.predict(TEXTS[:1], predictor.spec.choosing(1, ["is", "filmy"]))
    asked = run("predict", words, TEXTS[0], "--json", "-k", "1", "--target", "is", "--target", "filmy")
    assert json.loads(asked) == {"text": TEXTS[0], **_rounded(one.to_json())}


def test_a_terminal_shows_a_line_for_each_word(words: Path) -> None:
    predictor = load_predictor(words)
    assert isinstance(predictor.spec, Spec)
    [one] = predictor.predict(TEXTS[1:], predictor.spec.choosing(2, ["is", "filmy"]))
    first, *lines = mask_lines(TEXTS[1], one).splitlines()
    assert first == " · ".join(mask.candidates[0].token for mask in one.masks)
    assert [bool(line) for line in lines] == [True, True, False, True, True]
    assert sum(line.endswith("(for filmy)") for line in lines) == 2
    assert re.fullmatch(r"  \S+ +\d+\.\d\s%.*", lines[0])


def test_a_table_gets_filled_texts_and_words(words: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text\n"a [MASK], is"\n[MASK]\n', encoding="utf-8")
    run("predict", words, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv", "--top-k", "3")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    predictor = load_predictor(words)
    for row, one in zip(rows, predictor.predict([row["text"] for row in rows]), strict=True):
        assert row["filled"] == one.filled
        [mask] = json.loads(row["predicted_masks"])
        assert [word["id"] for word in mask["tokens"]] == [word.id for word in one.masks[0].candidates[:3]]
        assert (row["cut_masks"], row["cut_tokens"]) == ("0", "0")


def test_what_is_wrong_is_named_with_its_place(words: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run("predict", words, TEXTS[0], "a film")
    assert str(caught.value) == "text 2 has no [MASK]: write [MASK] where a word is to be filled in"
    with pytest.raises(DataError, match=r"standard input has 1 bad row \(line 2: a line without \[MASK\]\)"):
        run("predict", words, text="a [MASK]\na film\n")
    (tmp_path / "in.csv").write_text("text\na [MASK]\na film\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in.csv has 1 bad row \(line 3: no \[MASK\] in column 'text'\)"):
        run("predict", words, "--input", tmp_path / "in.csv")
    with pytest.raises(UsageError, match="top_k is 1,001: give a number from 1 to 1,000"):
        run("predict", words, TEXTS[0], "--top-k", "1001")
    with pytest.raises(UsageError, match="--target is for models that fill in words, and tiny does not: leave it out"):
        run("predict", bundle, "a film", "--target", "good")
    with pytest.raises(SettingsError) as refused:
        run("train", tmp_path / "in.csv", "--task", "fill", "--out", tmp_path / "out")
    assert str(refused.value) == NOT_TRAINED


def test_it_is_evaluated_on_tokens_hidden_in_texts(words: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\na [MASK]\nit is a film\n", encoding="utf-8")
    figures = json.loads(run("evaluate", words, tmp_path / "in.csv", "--json"))
    assert figures["rows"] == 1, "the text with a [MASK] of its own is left out"
    assert 0 <= figures["metrics"]["masked_accuracy"]["value"] <= 1


def test_an_empty_word_to_choose_from_is_named_by_its_flag(words: Path) -> None:
    with pytest.raises(UsageError, match="a --target is empty: name a word, or leave the flag out"):
        run("predict", words, TEXTS[0], "--target", "is", "--target", " ")
