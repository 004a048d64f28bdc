"""A name is one name, however it is spelt: labels, groups, slices and columns."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from bertline.data.columns import LABEL_NAMES, TEXT_NAMES, check_column, field_of, find_column, name_of_value
from bertline.data.examples import read_examples
from bertline.data.labels import Labels
from bertline.data.names import canonical, told_apart
from bertline.data.target_kinds import Entities
from bertline.data.targets import entities_in
from bertline.errors import DataError

NFC = "Qualität"
SPELLINGS = {
    "NFD": unicodedata.normalize("NFD", NFC),
    "a zero-width space": NFC + "\u200b",
    "a byte order mark": "\ufeff" + NFC,
    "a soft hyphen": NFC[:4] + "\u00ad" + NFC[4:],
    "a word joiner": NFC[:4] + "\u2060" + NFC[4:],
    "a mark of direction": "\u200e" + NFC,
    "spaces around": f" \u00a0{NFC}\u3000\t",
    "all of them": "\ufeff\u200b " + unicodedata.normalize("NFD", NFC) + "\u00a0\u200b",
    "a mark between a letter and its accent": "Qualita\u200b\u0308t",
}
ALL = pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)


@ALL
def test_equivalent_spellings_are_one_name(spelling: str) -> None:
    """T15: for a column too, whether it is given or found."""
    assert canonical(spelling) == canonical(NFC) == NFC
    assert name_of_value(spelling) == field_of({"a": spelling}, "a") == NFC
    assert check_column("t.csv", ["text", spelling], NFC, "--group-column") == spelling
    assert check_column("t.csv", ["text", NFC], spelling, "--group-column") == NFC
    assert check_column("t.csv", ["text", spelling], NFC.upper(), "--group-column") == spelling


@pytest.mark.parametrize("other", ["qualität", "Qualitat", "Quali tät", "Qualit\u200dät", "Ｑualität"])
def test_different_spellings_are_different_names(other: str) -> None:
    """T15: case, letters, spaces inside, joiners and width are meant."""
    assert canonical(other) != canonical(NFC)


def test_a_space_of_any_width_is_a_space() -> None:
    """T15: a no-break space comes with text from the web."""
    assert canonical("very\u00a0good") == canonical("very\u202fgood") == "very good"


def test_a_column_is_found_by_its_name_in_any_spelling() -> None:
    """T15: as a file with two marks has it."""
    assert find_column("t.csv", ["\ufefftext", "label\u200b"], None, TEXT_NAMES, "text") == "\ufefftext"
    assert find_column("t.csv", ["\ufefftext", "label\u200b"], None, LABEL_NAMES, "label") == "label\u200b"


def test_similar_column_names_raise_a_question_unless_one_matches_exactly() -> None:
    """T11, T15: none of them is taken silently."""
    columns = ["text", "text\u200b", "label"]
    assert check_column("t.csv", columns, "text\u200b", "--text-column") == "text\u200b"
    with pytest.raises(DataError, match=r"could take its text from 'text' and 'text\\u200b': name it with --text-co"):
        find_column("t.csv", columns, None, TEXT_NAMES, "text")


def _table(path: Path, *labels: str) -> Path:
    rows = [{"text": f"text {place}", "label": label, "who": label} for place, label in enumerate(labels)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_spellings_of_one_label_are_merged_and_reported(tmp_path: Path) -> None:
    """T15: four spellings were four classes."""
    table = _table(tmp_path / "t.jsonl", NFC, *SPELLINGS.values(), "gut", "gut")
    dataset = read_examples(table, group_column="who", slice_columns=["who"])
    assert Labels.of(dataset.targets).names == (NFC, "gut")
    assert {one.group for one in dataset.examples} == {NFC, "gut"}
    assert {one.fields["who"] for one in dataset.examples} == {NFC, "gut"}
    [sentence] = dataset.columns.spellings
    assert sentence.startswith(
        "'Qualität' is spelt 'Qualit<U+00E4>t' and 'Qualit<U+0061 U+0308>t' and 'Qualität<U+200B>'"
    )


def test_a_label_in_a_spelling_of_its_own_is_reported_too(tmp_path: Path) -> None:
    """T15: the bundle will have another name for it than the table."""
    table = _table(tmp_path / "t.jsonl", "pos\u200b", "pos\u200b", "neg", " neg ")
    assert read_examples(table).columns.spellings == ("'pos' is spelt 'pos<U+200B>'",)


def test_labels_are_known_in_every_spelling_those_of_an_old_bundle_too() -> None:
    """T15: a bundle of an earlier version may have been trained on NFD."""
    for names in ((NFC, "gut"), (SPELLINGS["NFD"], "gut")):
        labels = Labels(names)
        assert all(one in labels and labels.index(one) == 0 for one in (NFC, *SPELLINGS.values()))
        assert "schlecht" not in labels
        assert labels.names == names


def test_spellings_of_one_type_of_entities_are_merged_and_reported(tmp_path: Path) -> None:
    spans = [[0, 1, "caf\u00e9"], [2, 6, "cafe\u0301"], [7, 9, "caf\u00e9 "]]
    (tmp_path / "spans.jsonl").write_text(json.dumps({"text": "A film is", "entities": spans}), encoding="utf-8")
    (tmp_path / "tags.conll").write_text("A B-caf\u00e9\nfilm B-cafe\u0301\n", encoding="utf-8")
    for name in ("spans.jsonl", "tags.conll"):
        dataset = read_examples(str(tmp_path / name), kind=Entities())
        assert {entity.label for entity in entities_in(dataset.targets[0])} == {"caf\u00e9"}
        assert dataset.columns.spellings == ("'caf\u00e9' is spelt 'caf<U+00E9>' and 'caf<U+0065 U+0301>'",)


def test_spellings_are_distinguished_by_code_points() -> None:
    assert told_apart(["a", "a\u200b", "\ufeffa"]) == ["'a'", "'a<U+200B>'", "'<U+FEFF>a'"]
    assert told_apart(["a\u200b\u200b", "a\u200b"]) == ["'a\u200b<U+200B>'", "'a\u200b'"]
