"""The verb: texts are held out, nothing is lost, and the same texts give the same files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.data.corpus import is_held_out
from bertline.encoder.source import find_model
from bertline.errors import CheckpointError, DestinationError
from bertline.text import Tokenizer
from bertline.text.vocabulary import coverage
from bertline.training.pretraining.settings import VocabularySettings
from bertline.training.pretraining.vocabulary import REPORT, make_vocabulary

SETTINGS = VocabularySettings(size=200)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "films.txt"
    path.write_text("".join(f"film number {i} was as long as film {i * 7 % 13}\n" for i in range(200)))
    return path


def test_the_figures_come_from_held_out_texts(texts: Path, tmp_path: Path) -> None:
    trained = make_vocabulary([str(texts)], tmp_path / "out", SETTINGS)
    assert trained.coverage is not None
    new, base = trained.coverage
    assert (trained.texts, new.texts, base.texts) == (200, new.texts, new.texts)
    assert 2 <= new.texts <= 25
    held_out = [line for line in texts.read_text().splitlines() if is_held_out(line)]
    assert coverage(Tokenizer.from_directory(tmp_path / "out"), held_out) == new
    assert coverage(Tokenizer.from_directory(find_model(SETTINGS.base)), held_out) == base


def test_the_same_texts_give_the_same_bytes(texts: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_vocabulary([str(texts)], tmp_path / name, SETTINGS)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert {name for name in one if one[name] != two[name]} == {REPORT}  # it names its directory


def test_the_sentence_is_shown_in_both_vocabularies(texts: Path, tmp_path: Path) -> None:
    trained = make_vocabulary([str(texts)], tmp_path / "out", SETTINGS.model_copy(update={"sentence": "Long films"}))
    assert trained.pieces is not None
    assert trained.pieces[1] == ("long", "films")
    assert "".join(trained.pieces[0]).replace("##", "") == "longfilms"
    assert json.loads((tmp_path / "out" / REPORT).read_text())["sentence"]["base"] == ["long", "films"]


def test_cased_vocabularies_keep_capitals_and_accents(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("Café CAFÉ Café\n" * 3)
    make_vocabulary([str(tmp_path / "texts.txt")], tmp_path / "out", VocabularySettings(size=40, cased=True))
    tokenizer = Tokenizer.from_directory(tmp_path / "out")
    assert next(iter(tokenizer.spans("Café cafe"))).token == "Café"


def test_a_vocabulary_is_replaced_only_on_request_and_nothing_else_is(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_vocabulary([str(texts)], out, SETTINGS)
    before = (out / "vocab.txt").read_bytes()
    with pytest.raises(DestinationError, match=r"out has a vocabulary: give another --out, or --overwrite"):
        make_vocabulary([str(texts)], out, SETTINGS)
    make_vocabulary([str(texts)], out, SETTINGS.model_copy(update={"size": 60}), overwrite=True)
    assert len((out / "vocab.txt").read_bytes()) < len(before)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DestinationError, match="mine is not a vocabulary's directory: give another --out"):
        make_vocabulary([str(texts)], tmp_path / "mine", SETTINGS, overwrite=True)
    assert sorted(one.name for one in tmp_path.iterdir() if one.suffix != ".lock") == ["mine", "out"]


def test_an_unknown_base_is_refused_before_any_text_is_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a directory"):
        make_vocabulary([str(tmp_path / "no.txt")], tmp_path / "out", VocabularySettings(base="./none"))
