"""The command and the library with labels that the model was not trained on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import bertline as library
from bertline.encoder.embedder import save_embedder
from bertline.errors import UsageError
from bertline.testing.tiny import random_texts, tiny_embedder, tiny_tokenizer, write_tiny_bundle
from tests.unit.cli.test_predict import bertline

TEXTS = random_texts(3)
LABELS = ["film", "is", "at"]
NLI = ("contradiction", "entailment", "neutral")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write_tiny_bundle(folder / "entailment", pairs=True, labels=NLI, temperature=1.5)
    write_tiny_bundle(folder / "plain")
    return folder / "entailment"


def test_texts_get_labels_of_the_command(bundle: Path) -> None:
    result = bertline(bundle, *TEXTS, "--labels", ", ".join(LABELS), "--template", "a {} is it.", "--json")
    assert result.exit_code == 0, result.output
    answers = library.load(bundle).zero_shot(TEXTS, LABELS, template="a {} is it.")
    for line, one in zip(result.output.splitlines(), answers, strict=True):
        content = json.loads(line)
        assert content["label"] == one.label
        assert {share["label"] for share in content["probabilities"]} == {*LABELS}
        assert sum(share["probability"] for share in content["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_a_table_gets_them_in_its_columns(bundle: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS))
    flags = ["--labels", ",".join(LABELS), "--several"]
    result = bertline(bundle, "--input", table, "--output", out, *flags)
    assert result.exit_code == 0, result.output
    answers = library.load(bundle).zero_shot(TEXTS, LABELS, several=True)
    rows = [*csv.DictReader(out.read_text().splitlines())]
    assert [row["predicted_label"] for row in rows] == answers.labels
    assert [json.loads(row["predicted_labels"]) for row in rows] == [list(one.labels) for one in answers]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--template", "{}"], "--template goes with --labels: give the labels"),
        (["--several"], "--several goes with --labels: give the labels"),
        (["--labels", "a,a"], "--labels has 'a' twice: give each label once"),
        (["--labels", "a", "--template", "x"], "--template is 'x': write {} where the label goes"),
    ],
)
def test_a_fault_is_one_sentence(bundle: Path, flags: list[str], message: str) -> None:
    result = bertline(bundle, "it is", *flags)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(message)


def test_a_model_of_fixed_labels_is_refused_by_name(bundle: Path) -> None:
    plain = bundle.with_name("plain")
    expected = (
        "is a model for the task classify and cannot choose among labels that come with the texts: use an embedding "
        "model, or a classifier of pairs with the labels entailment, neutral and contradiction"
    )
    result = bertline(plain, "it is", "--labels", "a,b")
    assert str(result.exception) == f"{plain} {expected}"
    with pytest.raises(UsageError) as caught:
        library.load(plain).zero_shot(["it is"], ["a", "b"])
    assert str(caught.value) == f"plain {expected}"


def test_one_string_is_no_list_of_texts(bundle: Path) -> None:
    with pytest.raises(UsageError, match=r"write zero_shot\(\[text\], labels\)"):
        library.load(bundle).zero_shot("it is", LABELS)


def test_an_embedder_compares_a_text_with_the_sentence_of_each_label(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    save_embedder(tmp_path / "tiny", tiny_embedder(family="bert"))
    tiny_tokenizer().save(tmp_path / "tiny", max_tokens=64)
    embedder = library.import_model(str(tmp_path / "tiny"), out=tmp_path / "embedder")
    template = "it is a {} , is it ?"
    texts, sentences = embedder.embed(TEXTS), embedder.embed([template.replace("{}", label) for label in LABELS])
    powers = np.exp(20 * texts.astype(np.float64) @ sentences.T.astype(np.float64))
    flags = ["--labels", ",".join(LABELS), "--template", template]
    result = bertline(tmp_path / "embedder", *TEXTS, *flags, "--json")
    assert result.exit_code == 0, result.output
    for line, row in zip(result.output.splitlines(), powers / powers.sum(1, keepdims=True), strict=True):
        shares = {one["label"]: one["probability"] for one in json.loads(line)["probabilities"]}
        assert shares == pytest.approx(dict(zip(LABELS, row, strict=True)), abs=1e-5)
    with pytest.raises(UsageError, match="an embedding model compares labels and judges none by itself"):
        embedder.zero_shot(TEXTS, LABELS, several=True)
