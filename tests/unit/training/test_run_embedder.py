"""An embedder from pairs, triplets, scores or labels: split by text, evaluated, bundled."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bertline
from bertline.bundle import load
from bertline.encoder.embedder import save_embedder
from bertline.encoder.sentence import read_modules
from bertline.errors import DataError, SettingsError, UsageError
from bertline.testing.tiny import WORDS, tiny_embedder, tiny_tokenizer
from bertline.training.prepare import prepare
from bertline.training.progress import Silent
from bertline.training.settings import TrainSettings
from tests.unit.optimization.conftest import no_cold_starts  # noqa: F401

SYLLABLES, LETTERS = ([word for word in WORDS if len(word) == size] for size in (2, 1))
QUICK: dict[str, Any] = {
    "task": "embed",
    "epochs": 6,
    "patience": 6,
    "max_tokens": 24,
    "batch_tokens": 1024,
    "precision": "fp32",
    "lr": 2e-3,
}


def pairs(count: int = 160, seed: int = 0) -> list[tuple[str, str]]:
    """Texts that share three syllables, among letters that mean nothing."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        own = rng.sample(SYLLABLES, 3)
        first, second = ([*rng.sample(own, 3), *rng.sample(LETTERS, 3)] for _ in range(2))
        out.append((" ".join(first), " ".join(second)))
    return out


def triplets(count: int = 160) -> list[tuple[str, str, str]]:
    own = pairs(count)
    return [(first, second, other) for (first, second), (_, other) in zip(own, own[1:] + own[:1], strict=True)]


def write(path: Path, content: list[Any], *header: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *content])
    return path


def train(folder: Path, table: Path, model: Path, **settings: Any) -> Path:
    bertline.train(table, out=folder / "vectors", model=str(model), **QUICK | settings, progress=False)
    return folder / "vectors"


@pytest.fixture(scope="module")
def vectors(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on triplets, to be cut to 16 dimensions."""
    folder = tmp_path_factory.mktemp("vectors")
    table = write(folder / "triplets.csv", triplets(), "anchor", "positive", "negative")
    return train(folder, table, model, matryoshka=[16])


def test_it_learns_more_than_it_began_with(vectors: Path) -> None:
    manifest = load(vectors).manifest
    content = json.loads((vectors / "report" / "report.json").read_text(encoding="utf-8"))
    assert list(manifest.metrics["baselines"]) == ["Untrained encoder", "TF-IDF vectors"]  # type: ignore[call-overload]
    assert content["history"][-1]["train_loss"] < content["history"][0]["train_loss"]
    assert set(content["metrics"]) == {"mrr", "accuracy_at_1", "mrr_16_dimensions"}
    assert content["queries"] == content["rows"]
    assert content["searched_texts"] > content["rows"]
    page = (vectors / "report" / "report.html").read_text(encoding="utf-8")
    assert "Texts that are found last" in page
    assert "Untrained encoder" in page


def test_its_bundle_says_what_it_is(vectors: Path) -> None:
    manifest = load(vectors).manifest
    assert manifest.task.model_dump()["dimensions"] == (16,)
    assert (manifest.pooling, manifest.truncation) == ("mean", "head")
    assert not {"pooling", "truncation", "head"} & manifest.training.keys()
    assert str(manifest.data["Data"]).endswith(
        "triplets.csv; text from column 'anchor', second text from column 'positive', negative from column 'negative'"
    )
    assert "Labels" not in manifest.data
    assert read_modules(vectors, 32).normalised
    assert "library_name: sentence-transformers" in (vectors / "README.md").read_text(encoding="utf-8")


def test_its_engines_agree_and_its_vectors_can_be_cut(vectors: Path) -> None:
    texts = [text for pair in pairs(4, seed=9) for text in pair]
    by_engine, by_torch = (bertline.load(vectors, engine=one) for one in (None, "torch"))
    assert by_engine.embed(texts) == pytest.approx(by_torch.embed(texts), abs=1e-5)
    short = by_engine.embed(texts, dimensions=16)
    assert short.shape == (8, 16)
    assert np.linalg.norm(short, axis=1) == pytest.approx(1)


def test_it_is_evaluated_on_pairs_scores_and_labels(vectors: Path, tmp_path: Path) -> None:
    own = pairs(40, seed=5)
    found = bertline.evaluate(vectors, write(tmp_path / "p.csv", own, "text", "paraphrase")).to_dict()
    assert (found["queries"], found["counted_queries"], found["searched_texts"]) == (40, 40, 40)
    other = [(first, own[i - 1][1]) for i, (first, _) in enumerate(own)]
    scored = [(*pair, 1) for pair in own] + [(*pair, 0) for pair in other]
    by_score = bertline.evaluate(vectors, write(tmp_path / "s.csv", scored, "sentence1", "sentence2", "score"))
    assert set(by_score.to_dict()["metrics"]) == {"spearman", "pearson", "spearman_16_dimensions"}
    labelled = [(text, i % 8) for i, pair in enumerate(own) for text in pair]
    by_label = bertline.evaluate(vectors, write(tmp_path / "l.csv", labelled, "text", "label")).to_dict()
    assert (by_label["queries"], by_label["searched_texts"]) == (80, 80)


@pytest.mark.parametrize("kind", ["scores", "labels"])
def test_it_learns_from_scores_and_labels(kind: str, tmp_path: Path) -> None:
    """From a model of sentence-transformers, whose pooling it keeps."""
    base = tmp_path / "base"
    base.mkdir()
    save_embedder(base, tiny_embedder(family="bert", pooling="pooled"))
    tiny_tokenizer().save(base)
    own, rng = pairs(80), random.Random(1)
    table, settings = tmp_path / "table.csv", {"epochs": 2, "matryoshka": "16, 8"}
    if kind == "scores":
        scored = [(*pair, 5.0) for pair in own] + [(one, rng.choice(own)[1], 0.5) for one, _ in own]
        write(table, scored, "sentence1", "sentence2", "similarity")
    else:
        write(table, [(text, pair[0].split()[0]) for pair in own for text in pair], "text", "label")
    bundle = train(tmp_path, table, base, **settings)
    manifest = load(bundle).manifest
    assert manifest.pooling == "pooled"
    assert manifest.task.model_dump()["dimensions"] == (16, 8)
    assert manifest.task.model_dump()["highest"] == (5.0 if kind == "scores" else 1.0)
    lines = (bundle / "reference" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == manifest.metrics["rows"]
    assert set(manifest.metrics) >= ({"spearman", "pearson"} if kind == "scores" else {"mrr", "accuracy_at_1"})


def prepared(tmp_path: Path, content: list[Any], *header: str, **settings: Any) -> Any:
    return prepare(str(write(tmp_path / "t.csv", content, *header)), TrainSettings(task="embed", **settings), Silent())


def test_no_text_is_in_two_splits_in_any_spelling(tmp_path: Path) -> None:
    """Questions that share an answer, and answers that share a question."""
    own = pairs(60)
    content = [*own, *((f"{first} ?", own[i - 1][1].upper()) for i, (first, _) in enumerate(own) if i % 3)]
    splits = prepared(tmp_path, content, "question", "answer", test_ratio=0.2).splits
    texts = [
        {" ".join(text.casefold().rstrip(" ?").split()) for one in some for text in one.input}
        for some in splits.values()
    ]
    assert all(texts)
    assert sum(map(len, texts)) == len(set.union(*texts))


def test_where_all_rows_hang_together_training_rows_make_room(tmp_path: Path) -> None:
    own, rng = pairs(100), random.Random(2)
    scored = [(*pair, 1) for pair in own] + [(one, rng.choice(own)[1], 0) for one, _ in own]
    found = prepared(tmp_path, scored, "sentence1", "sentence2", "score")
    texts = [{text for one in some for text in one.input} for some in found.splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    assert " exact left out of training" in dict(found.facts)["Duplicates of training rows"]
    assert len(found.train) > 100


def test_a_text_that_is_almost_one_of_training_is_left_out(tmp_path: Path) -> None:
    own = pairs(100)
    content = [*own, *((f"{text} {text} {text} b", f"{text} {text} {text} c") for text, _ in own[:30])]
    found = prepared(tmp_path, [*content, *((f"{a} of", f"{b} so") for a, b in content[100:])], "text", "text_pair")
    assert "left out of" in dict(found.facts)["Duplicates of training rows"]


def test_bad_tables_are_named_with_line_and_column(tmp_path: Path) -> None:
    own: list[Any] = [*pairs(6)]
    with pytest.raises(DataError, match=r"t.csv has 1 bad row.*line 3: empty text in column 'positive'"):
        prepared(tmp_path, [own[0], (own[1][0], " "), *own[2:]], "anchor", "positive")
    scored = [(*pair, i) for i, pair in enumerate(own)]
    with pytest.raises(DataError, match="line 4: no finite number in column 'score'"):
        prepared(tmp_path, [*scored[:2], (*own[2], "high"), *scored[3:]], "sentence1", "sentence2", "score")
    with pytest.raises(DataError, match="could take its text-pair from 'positive' and 'answer': name it with --text-"):
        prepared(tmp_path, scored, "anchor", "positive", "answer")
    with pytest.raises(DataError, match="has no column with a usual name for the label: name it with --label-column"):
        prepared(tmp_path, scored, "text", "other", "third")
    with pytest.raises(DataError, match="has no column with a usual name for the text-pair: name it with --text-pair"):
        prepared(tmp_path, scored, "anchor", "other", "third")
    with pytest.raises(SettingsError, match="score is one of two texts: leave score_column out, or rename the column"):
        prepared(tmp_path, scored, "anchor", "positive", "negative", score_column="negative")


def test_settings_that_cannot_be_are_refused(tmp_path: Path, model: Path) -> None:
    table = write(tmp_path / "pairs.csv", pairs(60), "anchor", "positive")
    labelled = [(text, text > "m") for text, _ in pairs(60)]
    with pytest.raises(SettingsError, match=r"--matryoshka has 32, and the vectors of .* have 32 dimensions"):
        train(tmp_path, table, model, matryoshka="8,32")
    with pytest.raises(SettingsError, match=r"matryoshka.*must be whole numbers above 0, such as 256,128,64"):
        train(tmp_path, table, model, matryoshka="8,half")
    with pytest.raises(SettingsError, match="query_column is set, but only rankers read queries: leave it out"):
        train(tmp_path, table, model, query_column="anchor")
    with pytest.raises(SettingsError, match="matryoshka is set, which is for embedders: leave it out, or set task to"):
        train(tmp_path, write(tmp_path / "t.csv", labelled, "text", "label"), model, task="classify", matryoshka="8")
    with pytest.raises(SettingsError, match="class_weights is 'balanced', which is for one label per text: leave it"):
        train(tmp_path, table, model, class_weights="balanced")


@pytest.mark.usefixtures("no_cold_starts")
def test_its_int8_engines_are_measured(vectors: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "vectors"
    shutil.copytree(vectors, bundle)
    (tmp_path / "more.txt").write_text("\n".join(text for pair in pairs(20, seed=8) for text in pair))
    bertline.optimize(
        bundle, repetitions=1, speed_rows=16, max_accuracy_drop=100, unlabelled=[str(tmp_path / "more.txt")]
    )
    engines = {one.name: one.measured for one in load(bundle).manifest.engines}
    assert {"score", "mrr", "test_mrr", "agreement"} <= engines["int8"].keys()
    assert engines["fp32"]["agreement"] == 1.0
    texts = [text for pair in pairs(4, seed=9) for text in pair]
    exact, eight = (bertline.load(bundle, engine=name).embed(texts) for name in ("fp32", "int8"))
    assert 0.95 < (exact * eight).sum(axis=1).min() < 1


def test_no_student_is_distilled_from_it(vectors: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "texts.csv", pairs(20), "text", "other")
    with pytest.raises(UsageError, match="is a bundle for the task embed, which has no logits for a student to learn"):
        bertline.distill(vectors, table, out=tmp_path / "small")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"truncation": "head_tail"}, "truncation is 'head_tail', but an embedder reads the head: leave it out"),
        ({"head": "random"}, "head is set, but an embedder has none: leave it out"),
        ({"head": "fitted"}, "head is set, but an embedder has none: leave it out"),
    ],
)
def test_settings_of_classifiers_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    table = write(tmp_path / "pairs.csv", pairs(), "anchor", "positive")
    with pytest.raises(SettingsError, match=f"^{message}$"):
        prepare(str(table), TrainSettings(**QUICK | settings), Silent())


def test_an_embedder_may_be_said_to_read_the_head(tmp_path: Path) -> None:
    table = write(tmp_path / "pairs.csv", pairs(), "anchor", "positive")
    assert prepare(str(table), TrainSettings(**QUICK, truncation="head"), Silent()).train
