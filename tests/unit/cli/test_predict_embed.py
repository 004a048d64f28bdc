"""The command with an embedder, which is made of a published checkpoint: texts, lines and tables; and the library."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

import bertline
from bertline.bundle import load
from bertline.cli.main import application
from bertline.cli.predict_lines import vector_line
from bertline.encoder.embedder import save_embedder
from bertline.errors import BundleError, UsageError
from bertline.tasks.embed.spec import Spec
from bertline.testing.tiny import random_texts, tiny_embedder, tiny_tokenizer, write_tiny_bundle
from tests.unit.optimization.conftest import no_cold_starts  # noqa: F401

TEXTS = ["a film", "is it so ? it is !", "an us , as"]


def run(*arguments: object, text: str | None = None) -> str:
    """What a command prints; its error is raised."""
    result = CliRunner().invoke(application(), [*map(str, arguments)], input=text)
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.stdout


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedders")
    (folder / "tiny-st").mkdir()
    save_embedder(folder / "tiny-st", tiny_embedder(family="distilbert"))
    tiny_tokenizer().save(folder / "tiny-st", max_tokens=64)
    out = run("models", "import", folder / "tiny-st", "--out", folder / "vectors", "--max-tokens", 16)
    assert out == f"{folder / 'vectors'} is a bundle for the task embed: bertline predict {folder / 'vectors'} TEXT\n"
    return folder / "vectors"


def test_an_imported_bundle_is_sealed_and_is_a_model_of_sentence_transformers(vectors: Path) -> None:
    manifest = load(vectors).manifest
    assert (manifest.task, manifest.pooling) == (Spec(), "mean")
    assert (manifest.max_tokens, manifest.truncation) == (16, "head")
    assert manifest.lineage == {"base_model": "tiny-st"}
    assert [one.outputs for one in manifest.engines] == [("embedding",)]
    assert {"engines/probes.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"} <= set(
        manifest.files
    )
    assert json.loads((vectors / "sentence_bert_config.json").read_bytes())["max_seq_length"] == 16
    card = (vectors / "README.md").read_text(encoding="utf-8")
    assert "An embedder: the vector of a text is the mean of the states of its tokens, divided by its length." in card
    assert "library_name: sentence-transformers" in card
    assert "classifier" not in card


def test_every_engine_gives_unit_vectors(vectors: Path) -> None:
    model = bertline.load(vectors)
    rows = model.embed(TEXTS)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    assert bertline.load(vectors, engine="torch").embed(TEXTS) == pytest.approx(rows, abs=1e-6)
    raw = model.embed(TEXTS, normalise=False)
    assert raw / np.linalg.norm(raw, axis=1, keepdims=True) == pytest.approx(rows, abs=1e-6)
    assert model.similarity(TEXTS, TEXTS[:2]) == pytest.approx(rows @ rows[:2].T, abs=1e-6)
    assert model.similarity([], TEXTS).shape == (0, 3)


def test_an_embedding_is_cut_only_to_dimensions_that_were_trained(vectors: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="vectors was not trained to be cut to 8 dimensions: leave dimensions out"):
        bertline.load(vectors).embed(TEXTS, dimensions=8)
    write_tiny_bundle(tmp_path / "short", task=Spec(dimensions=(16, 8)), pooling="mean")
    model = bertline.load(tmp_path / "short")
    rows = model.embed(TEXTS, dimensions=8)
    whole = model.embed(TEXTS)[:, :8]
    assert rows == pytest.approx(whole / np.linalg.norm(whole, axis=1, keepdims=True), abs=1e-6)
    with pytest.raises(UsageError, match="short was not trained to be cut to 4 dimensions: give 16 or 8, or leave"):
        model.embed(TEXTS, dimensions=4)


def test_texts_are_embedded_as_json_lines_and_on_a_terminal(vectors: Path) -> None:
    rows = bertline.load(vectors).embed(TEXTS)
    lines = [json.loads(line) for line in run("predict", vectors, *TEXTS, "--json").splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    assert np.array([line["embedding"] for line in lines], dtype=np.float32).tolist() == rows.tolist()
    embedding, text = run("predict", vectors, TEXTS[0]).rstrip("\n").split("\t")
    assert json.loads(embedding) == pytest.approx(rows[0].tolist(), abs=1e-6)
    assert text == TEXTS[0]
    [answer] = bertline.load(vectors).predict(TEXTS[:1])
    assert vector_line(TEXTS[0], answer).startswith(f"32 dimensions  {rows[0, 0]:7.4f}  {rows[0, 1]:7.4f}  ")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_gets_the_embeddings(vectors: Path, tmp_path: Path, suffix: str) -> None:
    rows = bertline.load(vectors).embed(TEXTS)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    out = tmp_path / f"out.{suffix}"
    run("predict", vectors, "--input", tmp_path / "in.jsonl", "--output", out)
    if suffix == "parquet":
        written = pyarrow.parquet.read_table(out)["embedding"].to_pylist()
    elif suffix == "csv":
        with out.open(encoding="utf-8", newline="") as file:
            written = [json.loads(row["embedding"]) for row in csv.DictReader(file)]
    else:
        written = [json.loads(line)["embedding"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert np.array(written, dtype=np.float32).tolist() == rows.tolist()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short") / "short"
    write_tiny_bundle(path, task=Spec(dimensions=(16, 8)), pooling="mean")
    return path


@pytest.mark.parametrize("flags", [(), ("--shard-rows", 1)], ids=["one table", "shards"])
def test_the_first_dimensions_are_kept_and_normalised_anew(
    short: Path, tmp_path: Path, flags: tuple[object, ...]
) -> None:
    rows = bertline.load(short).embed(TEXTS, dimensions=8)
    lines = run("predict", short, *TEXTS, "--json", "--dimensions", 8).splitlines()
    assert [json.loads(line)["embedding"] for line in lines] == rows.tolist()
    (tmp_path / "in.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS), encoding="utf-8")
    run("predict", short, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv", "--dimensions", 8, *flags)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [json.loads(row["embedding"]) for row in csv.DictReader(file)] == rows.tolist()


def test_dimensions_that_a_model_was_not_trained_for_are_refused(short: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="short was not trained to be cut to 4 dimensions: give 16 or 8, or leave"):
        run("predict", short, *TEXTS, "--dimensions", 4)
    (tmp_path / "in.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    table = ("predict", bundle, "--input", tmp_path / "in.txt", "--output", tmp_path / "out.csv")
    with pytest.raises(UsageError, match="--dimensions is for embedding models, and tiny is none: leave it out"):
        run(*table, "--dimensions", 8)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.usefixtures("no_cold_starts")
def test_an_imported_embedder_is_optimized_on_halves_of_texts(vectors: Path, tmp_path: Path) -> None:
    bundle, texts = tmp_path / "vectors", [*random_texts(40, seed=3), "two words"]
    shutil.copytree(vectors, bundle)
    with pytest.raises(BundleError, match=r"vectors carries no held-out rows .*: give texts with --unlabelled FILE"):
        bertline.optimize(bundle)
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    settings = {"repetitions": 1, "speed_rows": 16, "max_accuracy_drop": 100}
    bertline.optimize(bundle, unlabelled=[str(tmp_path / "texts.txt")], **settings)
    engines = {one.name: one.measured for one in load(bundle).manifest.engines}
    assert {"mrr", "test_mrr", "test_difference", "agreement"} <= engines["int8"].keys()
