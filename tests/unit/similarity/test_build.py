"""An index on disk: what it has, how a stopped run goes on, and what is wrong with others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.bundle.verify import read_manifest
from bertline.data.settings import TableSettings
from bertline.errors import BertlineError, DataError, DestinationError, Interrupted, SettingsError, UsageError
from bertline.inference import load_predictor
from bertline.similarity import build
from bertline.similarity.build import build_index
from bertline.similarity.index import Index, fingerprint_of, open_index
from bertline.similarity.nearest import neighbours_of
from bertline.similarity.opened import open_for, opened
from bertline.tasks.embed.spec import Spec as Embeds
from bertline.testing.tiny import write_tiny_bundle

from .conftest import TEXTS


def made(bundle: Path, table: Path | str, out: Path, *, notify: Any = build.quiet, **more: Any) -> Index:
    how = {name: more.pop(name) for name in ("resume", "overwrite", "dimensions") if name in more}
    return build_index(bundle, str(table), out, TableSettings(**more), notify, **how)


def test_it_has_a_unit_vector_for_each_text_and_all_columns(index: Index, bundle: Path) -> None:
    expected = load_predictor(bundle, output="embedding").embed(TEXTS).astype(np.float64)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert index.vectors.dtype == np.float32
    assert isinstance(index.vectors, np.memmap)
    np.testing.assert_allclose(index.vectors, expected, atol=2e-6)
    assert [dict(row.values) for row in index.rows()] == [
        {"id": f"{number:03}", "text": text} for number, text in enumerate(TEXTS)
    ]
    assert index.lines.tolist() == [*range(2, len(TEXTS) + 2)]
    assert (index.facts.source.endswith("texts.csv"), index.facts.rows, index.facts.dimensions) == (True, 63, 32)
    assert {row: one.line for row, one in index.pick([61, 3]).items()} == {3: 5, 61: 63}


def test_numbers_of_json_lines_keep_their_digits(bundle: Path, tmp_path: Path) -> None:
    line = '{"price": 1.10, "text": "a film", "more": [1e400]}'
    (tmp_path / "in.jsonl").write_text(f"{line}\n\n{line}\n")
    index = made(bundle, tmp_path / "in.jsonl", tmp_path / "index")
    assert (tmp_path / "index" / "rows.jsonl").read_text() == f"{line}\n{line}\n"
    assert index.lines.tolist() == [1, 3]


def test_a_text_file_has_a_text_on_each_line(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n\nit is so\n")
    index = made(bundle, tmp_path / "in.txt", tmp_path / "index")
    assert ([*index.texts()], index.lines.tolist()) == (["a film", "it is so"], [1, 3])


def test_texts_that_are_too_long_are_counted(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n" + "it is " * 40 + "\n")
    assert made(bundle, tmp_path / "in.txt", tmp_path / "index").facts.cut == 1


@pytest.fixture
def stopped(bundle: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of an index that was stopped after 16 of 63 rows."""
    monkeypatch.setattr(build, "WINDOW_ROWS", 8)

    def stop(what: str, done: int, of: int | None) -> None:
        if (what, done) == ("embedding", 16):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"^stopped after 16 of 63 rows: run the same command with --resume to cont"):
        made(bundle, table, tmp_path / "index", notify=stop)
    assert not (tmp_path / "index").exists()
    return tmp_path / "index"


def test_a_run_that_goes_on_gives_the_same_vectors(stopped: Path, bundle: Path, table: Path, tmp_path: Path) -> None:
    done = list[tuple[str, int]]()
    resumed = made(bundle, table, stopped, resume=True, notify=lambda what, rows, of: done.append((what, rows)))
    assert [rows for what, rows in done if what == "embedding"] == [24, 32, 40, 48, 56, 63]
    np.testing.assert_array_equal(resumed.vectors, made(bundle, table, tmp_path / "whole").vectors)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["index", "whole"]
    assert sorted(one.name for one in stopped.iterdir()) == ["index.json", "lines.npy", "rows.jsonl", "vectors.npy"]


def test_a_finished_index_is_opened_and_another_one_is_refused(bundle: Path, table: Path, tmp_path: Path) -> None:
    out, done = tmp_path / "index", list[str]()
    first = made(bundle, table, out, resume=True)
    again = made(bundle, table, out, resume=True, notify=lambda what, rows, of: done.append(what))
    assert again.facts == first.facts
    assert "embedding" not in done
    assert [one.name for one in tmp_path.iterdir()] == ["index"]
    (tmp_path / "other.txt").write_text("a film\n")
    write_tiny_bundle(tmp_path / "bundle", seed=1)
    with pytest.raises(DestinationError, match=r"its run had another table: give another --out, or --overwrite to re"):
        made(bundle, tmp_path / "other.txt", out, resume=True)
    with pytest.raises(DestinationError, match=r"its run had another model: give another --out"):
        made(tmp_path / "bundle", table, out, resume=True)


def test_half_a_window_that_was_written_is_written_again(stopped: Path, bundle: Path, table: Path) -> None:
    with (stopped.with_name(".index.indexing") / "vectors.npy").open("ab") as file:
        file.write(b"half a vector")
    assert made(bundle, table, stopped, resume=True).facts.rows == 63


def test_an_unfinished_run_is_not_lost_by_accident(stopped: Path, bundle: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match=r"^an unfinished index is in .*/\.index\.indexing: pass --resume to"):
        made(bundle, table, stopped)
    (tmp_path / "other.txt").write_text("a film\n")
    with pytest.raises(DataError, match=r"cannot be continued, because the .*other\.txt has changed: pass --overwrite"):
        made(bundle, tmp_path / "other.txt", stopped, resume=True)
    write_tiny_bundle(tmp_path / "bundle", seed=1)
    with pytest.raises(DataError, match="cannot be continued, because the model has changed: pass --overwrite"):
        made(tmp_path / "bundle", table, stopped, resume=True)
    assert made(bundle, table, stopped, overwrite=True).facts.rows == 63


def test_nothing_is_left_behind_by_a_table_that_cannot_be_used(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n1,a film\n2,\n3,\u200b\n")
    with pytest.raises(DataError) as error:
        made(bundle, tmp_path / "in.csv", tmp_path / "index")
    assert str(error.value) == (
        f"{tmp_path}/in.csv has 2 bad rows (line 3: empty text in column 'text'; line 4: text in column 'text' of "
        "which the model reads nothing (has only characters that the model does not read (U+200B))); fix them or pass "
        "--skip-bad-rows to leave them out"
    )
    assert [one.name for one in tmp_path.iterdir()] == ["in.csv"]
    assert made(bundle, tmp_path / "in.csv", tmp_path / "index", skip_bad_rows=True).facts.skipped == 2


@pytest.mark.parametrize("column", ["text_pair_column", "query_column"])
def test_a_second_column_of_text_is_not_ignored(bundle: Path, table: Path, tmp_path: Path, column: str) -> None:
    with pytest.raises(SettingsError, match=f"^{column} is set, but .*: leave it out$"):
        made(bundle, table, tmp_path / "index", **{column: "id"})


def test_other_things_are_not_replaced(index: Index, bundle: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match="has an index: give another --out"):
        made(bundle, table, index.path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine").touch()
    with pytest.raises(DestinationError, match="is not an index's directory: give another --out"):
        made(bundle, table, tmp_path / "notes", overwrite=True)


def test_engines_and_cards_do_not_change_what_a_bundle_embeds(tmp_path: Path, bundle: Path) -> None:
    write_tiny_bundle(tmp_path / "reviews")
    manifest = read_manifest(bundle)
    assert manifest.checksum != read_manifest(tmp_path / "reviews").checksum
    assert fingerprint_of(manifest) == fingerprint_of(read_manifest(tmp_path / "reviews"))
    write_tiny_bundle(tmp_path / "longer", max_tokens=48)
    assert fingerprint_of(manifest) != fingerprint_of(read_manifest(tmp_path / "longer"))


def test_an_index_of_another_model_is_refused(index: Index, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "other", seed=1)
    with pytest.raises(DataError) as error:
        open_for(tmp_path / "other", index.path, TableSettings())
    assert str(error.value) == (
        f"{index.path} was made with the model reviews, and {tmp_path}/other embeds otherwise: give that model, or "
        f"index the table again with bertline index {tmp_path}/other"
    )
    write_tiny_bundle(tmp_path / "reviews", seed=1)
    with pytest.raises(DataError, match="was made with the model reviews before it was trained again, and"):
        open_for(tmp_path / "reviews", index.path, TableSettings())


def test_settings_of_tables_are_not_for_an_index(index: Index, bundle: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"^text_column is set, but .* is an index, which has its texts: leave"),
        opened(bundle, str(index.path), TableSettings(text_column="text")),
    ):
        pass


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("index.json", None, r"has no index\.json: give a table, or a directory that bertline index wrote"),
        ("index.json", b"{", r"is damaged \(Expecting property name"),
        (
            "index.json",
            b'{"format_version": 2}',
            "is an index of format version 2 and bertline .* reads up to 1: upgrade",
        ),
        ("index.json", b'{"format_version": 1}', r"is damaged \(index\.json has a wrong entry model\): make it again"),
        ("vectors.npy", b"", r"is damaged \(.*\): make it again with bertline index and --overwrite"),
        ("rows.jsonl", b"{}", r"is damaged \(rows\.jsonl has 2 bytes, and index\.json says [\d,]+\): make it again"),
        ("lines.npy", None, r"is damaged \(.*lines\.npy.*\): make it again with bertline index and --overwrite"),
    ],
)
def test_what_is_wrong_with_a_directory_is_said(
    index: Index, tmp_path: Path, file: str, content: bytes | None, message: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(index.path, copy)
    (copy / file).unlink()
    if content is not None:
        (copy / file).write_bytes(content)
    with pytest.raises(BertlineError, match=f"^{copy} {message}"):
        open_index(copy)


def test_vectors_of_other_rows_are_damage(index: Index, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(index.path, copy)
    facts = json.loads((copy / "index.json").read_text())
    (copy / "index.json").write_text(json.dumps(facts | {"rows": 62}))
    with pytest.raises(DataError, match=r"is damaged \(vectors\.npy has 63 rows, and index\.json says 62\)"):
        open_index(copy)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("embedder") / "vectors"
    write_tiny_bundle(target, engine=True, task=Embeds(dimensions=(16, 8)), pooling="mean")
    return target


def test_vectors_are_cut_to_a_length_that_was_trained_and_queries_alike(embedder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\nit is so\non an\n")
    index = made(embedder, tmp_path / "in.txt", tmp_path / "index", dimensions=8)
    whole = load_predictor(embedder, output="embedding").embed(["a film", "it is so", "on an"])
    beginning = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors, beginning, atol=2e-6)
    assert index.facts.dimensions == 8
    [[first, *_]] = neighbours_of(index, whole[1:2], 2)
    assert (first.text, first.similarity) == ("it is so", pytest.approx(1))


def test_a_length_that_was_not_trained_is_refused_before_the_table_is_read(
    embedder: Path, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="vectors was not trained to be cut to 5 dimensions: give 16 or 8, or leave"):
        made(embedder, tmp_path / "no.csv", tmp_path / "index", dimensions=5)
    with pytest.raises(UsageError, match="reviews was not trained to be cut to 8 dimensions: leave dimensions out"):
        made(bundle, tmp_path / "no.csv", tmp_path / "index", dimensions=8)


def test_a_run_goes_on_with_its_dimensions_only(embedder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\nit is so\n")

    def stop(what: str, done: int, of: int | None) -> None:
        if what == "embedding":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        made(embedder, tmp_path / "in.txt", tmp_path / "index", notify=stop, dimensions=8)
    with pytest.raises(DataError, match="because the number of dimensions has changed: pass --overwrite"):
        made(embedder, tmp_path / "in.txt", tmp_path / "index", resume=True)
    assert made(embedder, tmp_path / "in.txt", tmp_path / "index", resume=True, dimensions=8).vectors.shape == (2, 8)
