"""T8, T9, T10: tables whose types show late, and columns that nobody reads."""

from __future__ import annotations

import datetime
import io
import json
import os
import threading
import zoneinfo
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertline.cli.predict_table import Table, label_table
from bertline.data.examples import read_examples
from bertline.data.settings import TableSettings
from bertline.errors import DataError
from bertline.inference import Prediction
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from tests.unit.cli.tables import delimited

GROUP = 128  # rows of a row group here
LATE = GROUP + 8  # rows


class Constant:
    """A model that answers at once: the texts of these tables do not matter."""

    name = version = engine = "constant"
    spec = Spec(labels=("no", "yes"))
    labels = spec.labels
    max_tokens = 16

    def predict(self, texts: Sequence[str], *, spec: TaskSpec | None = None) -> list[Prediction]:
        return [Prediction("yes", {"no": 0.25, "yes": 0.75}, read_tokens=4, cut_tokens=0)] * len(texts)


@pytest.fixture(autouse=True)
def constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bertline.cli.predict_table.load_with_labels", lambda *_, **__: Constant())
    monkeypatch.setattr("bertline.data.parquet.WRITE_ROWS", GROUP)


def label(bundle: Path, source: Path, target: str, **options: Any) -> Path:
    output = source.with_name(target)
    label_table(bundle, Table(str(source), str(output), TableSettings(**options)), 1)
    return output


def stored(path: Path, schema: pa.Schema, **columns: Sequence[Any]) -> Path:
    rows = len(next(iter(columns.values())))
    pq.write_table(
        pa.table({"text": ["a film"] * rows, **columns}, pa.schema([pa.field("text", pa.string()), *schema])), path
    )
    return path


def late(kind: Any, values: Sequence[Any], empty: Any = None) -> Any:
    return pa.array([empty] * LATE + [values[i % len(values)] for i in range(40)], kind)


ODD = [
    pytest.param(pa.date32(), [datetime.date(2026, 1, 2)], id="date"),
    pytest.param(
        pa.timestamp("us", "Europe/Berlin"),
        [datetime.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))],
        id="zone",
    ),
    pytest.param(pa.uint64(), [2**64 - 1, 0], id="uint64"),
    pytest.param(pa.decimal128(30, 10), [Decimal("1.5"), Decimal("12345678901234567890.0000000001")], id="decimal"),
    pytest.param(pa.map_(pa.string(), pa.int32()), [[("a", 1), ("a", 2)], []], id="map"),
    pytest.param(
        pa.struct([("x", pa.int8()), ("y", pa.list_(pa.large_string()))]), [{"x": None, "y": ["b"]}], id="struct"
    ),
    pytest.param(pa.list_(pa.float32()), [[0.5, None], []], id="list"),
    pytest.param(pa.dictionary(pa.int16(), pa.string()), ["red", "green"], id="dictionary"),
    pytest.param(pa.large_string(), ["x"], id="large_string"),
    pytest.param(pa.large_binary(), [b"\xff\0"], id="binary"),
    pytest.param(pa.uuid(), [b"0123456789abcdef"], id="uuid"),
    pytest.param(pa.null(), [None], id="null"),
]


@pytest.mark.parametrize(("kind", "values"), ODD)
def test_parquet_keeps_its_schema(bundle: Path, tmp_path: Path, kind: Any, values: list[Any]) -> None:
    """T8: the first row group is null."""
    field = pa.field("odd", kind, metadata={"unit": "m"})
    source = stored(tmp_path / "in.parquet", pa.schema([field]), odd=late(kind, values))
    before, after = pq.read_table(source), pq.read_table(label(bundle, source, "out.parquet"))
    assert after.schema.names == ["text", "odd", "predicted_label", "probability", "cut_tokens"]
    assert after.schema.field("odd").equals(before.schema.field("odd"), check_metadata=True)
    assert after["odd"].equals(before["odd"])
    assert [str(field.type) for field in after.schema][2:] == ["string", "double", "int64"]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.struct([("x", pa.date32())])), pa.list_(pa.int8()), pa.map_(pa.int8(), pa.bool_())]
)
def test_lists_that_begin_empty(bundle: Path, tmp_path: Path, kind: Any) -> None:
    """T8: empty lists say nothing about their items."""
    filled = {pa.int8(): 3, pa.struct([("x", pa.date32())]): {"x": datetime.date(2026, 1, 2)}}
    one = (1, True) if pa.types.is_map(kind) else filled[kind.value_type]
    source = stored(tmp_path / "in.parquet", pa.schema([("odd", kind)]), odd=late(kind, [[one]], []))
    assert pq.read_table(label(bundle, source, "out.parquet"))["odd"].equals(pq.read_table(source)["odd"])


def test_rows_left_out_do_not_shift_the_others(bundle: Path, tmp_path: Path) -> None:
    """T8: record batches are passed on in parts."""
    texts = [None if i % 7 == 3 else f"film {i}" for i in range(3_000)]
    table = pa.table({"text": texts, "n": pa.array(range(3_000), pa.uint16())}).replace_schema_metadata(
        {"made": "by us"}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    after = pq.read_table(label(bundle, tmp_path / "in.parquet", "out.parquet", skip_bad_rows=True))
    assert after["n"].to_pylist() == [i for i in range(3_000) if i % 7 != 3]
    assert after["text"].to_pylist() == [text for text in texts if text]
    assert after.schema.metadata == {b"made": b"by us"}


# ------------------------------------------------------------------------------------------ JSON lines to Parquet


def lines(path: Path, first: str, last: str, rows: int = GROUP) -> Path:
    """So many rows of the first kind, and one of the last."""
    path.write_text(f'{{"text": "a film", "a": {first}}}\n' * rows + f'{{"text": "a film", "a": {last}}}\n')
    return path


@pytest.mark.parametrize(
    ("first", "last", "kind", "values"),
    [
        ("1", "2.5", "double", [1.0, 2.5]),
        ("null", "2.5", "double", [None, 2.5]),
        (
            '{"x": 1}',
            '{"x": 2, "y": [true]}',
            "struct<x: int64, y: list<element: bool>>",
            [{"x": 1, "y": None}, {"x": 2, "y": [True]}],
        ),
        ("[]", '[{"x": "b"}]', "list<element: struct<x: string>>", [[], [{"x": "b"}]]),
        ("1", "18446744073709551615", "uint64", [1, 2**64 - 1]),
        ("-1", "18446744073709551615", "decimal128(20, 0)", [Decimal(-1), Decimal(2**64 - 1)]),
        ("0.5", "12345678901234567890", "decimal128(21, 1)", [Decimal("0.5"), Decimal("12345678901234567890.0")]),
        (
            "0.1",
            "0.12345678901234567890123",
            "decimal128(23, 23)",
            [Decimal("0.1"), Decimal("0.12345678901234567890123")],
        ),
        ("1", "NaN", "double", None),
        ("1", "-0", "double", [1.0, -0.0]),
    ],
)
def test_types_that_show_late(bundle: Path, tmp_path: Path, first: str, last: str, kind: str, values: Any) -> None:
    """T9: 2.5 was written as 2, and a new key was gone, with exit code 0."""
    after = pq.read_table(label(bundle, lines(tmp_path / "in.jsonl", first, last), "out.parquet"))
    assert str(after.schema.field("a").type).replace("item:", "element:") == kind
    ends = [after["a"][0].as_py(), after["a"][GROUP].as_py()]
    assert repr(ends) == ("[1.0, nan]" if values is None else repr(ends if ends == values else values))


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        ("1", '"x"', r"'a' is a number in line 1 and a string in line 129"),
        ("true", "1", r"'a' is true or false in line 1 and a number in line 129"),
        ('{"x": [1]}', '{"x": ["b"]}', r"'a'.x\[\] is a number in line 1 and a string in line 129"),
        ('{"x": 1}', "[1]", r"'a' is an object in line 1 and a list in line 129"),
        ("1", '[true, "b"]', r"'a'\[\] is true or false in line 129 and a string in line 129"),
    ],
)
def test_values_of_two_kinds_are_named_before_anything_is_written(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, last: str, reason: str
) -> None:
    """T9: no row is labelled, and no file is left."""
    monkeypatch.setattr("bertline.cli.predict_table.predict_stream", None)
    source = lines(tmp_path / "in.jsonl", first, last)
    message = rf"in\.jsonl cannot become Parquet, because {reason}: make them alike, or write JSON lines$"
    with pytest.raises(DataError, match=message):
        label(bundle, source, "out.parquet")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("last", ["1e400", "9" * 39, "0." + "1" * 39, "9" * 5_000, "1e99999999999999999999"])
def test_numbers_that_no_type_holds_are_named(bundle: Path, tmp_path: Path, last: str) -> None:
    """T9: not infinity, and not fewer digits."""
    source = lines(tmp_path / "in.jsonl", "2.5" if last.startswith("9" * 39) else "1", last, 3)
    with pytest.raises(
        DataError, match=r"column 'a' of .*out\.parquet .* of one that Parquet lacks \(.* in line 4\): write"
    ):
        label(bundle, source, "out.parquet")
    assert list(tmp_path.iterdir()) == [source]
    after = label(bundle, source, "out.jsonl").read_text().splitlines()[3]
    assert after.startswith(f'{{"text": "a film", "a": {last}, "predicted_label"')
    assert delimited(label(bundle, source, "out.csv"))[3]["a"] == last


def test_objects_without_keys_are_named(bundle: Path, tmp_path: Path) -> None:
    """T9: Parquet has no type for them."""
    with pytest.raises(
        DataError, match=r"column 'a' of .* \(an object without keys in line 1\): write CSV or JSON lines"
    ):
        label(bundle, lines(tmp_path / "in.jsonl", "{}", "{}", 2), "out.parquet")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A named pipe that a thread fills."""
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    rows = '{"text": "a film", "a": 1}\n' * 200 + '{"text": "a film", "a": 2.5, "late": "x"}\n'
    thread = threading.Thread(target=path.write_text, args=[rows], daemon=True)
    thread.start()
    yield path
    thread.join()


@pytest.mark.parametrize("target", ["out.parquet", "out.csv"])
def test_a_pipe_is_copied_where_all_its_rows_must_be_known(bundle: Path, pipe: Path, target: str) -> None:
    """T9: the key that comes late and the type that shows late are found before the work, also of what is read once."""
    after = label(bundle, pipe, target)
    rows = pq.read_table(after).to_pylist() if target.endswith("parquet") else delimited(after)
    assert [float(rows[i]["a"]) for i in (0, 200)] == [1, 2.5]
    assert (rows[0]["late"] or None, rows[200]["late"]) == (None, "x")


def test_standard_input_is_copied_too(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T9: and is called by its name in messages."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a", "a": 1}\n{"text": "a", "a": "b"}\n')))
    with pytest.raises(DataError, match=r"^standard input cannot become Parquet, because 'a' is a number in line 1"):
        label_table(bundle, Table("-", str(tmp_path / "out.parquet"), TableSettings(format="jsonl")), 1)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------ columns that nobody reads

YEAR_20000 = 568_971_820_800  # seconds
BROKEN = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"\xffb"))
UNREAD = [
    pytest.param(
        pa.array([1, -1], pa.timestamp("ns")),
        ["1970-01-01T00:00:00.000000001", "1969-12-31T23:59:59.999999999"],
        id="ns",
    ),
    pytest.param(
        pa.array([YEAR_20000 * 1000] * 2, pa.timestamp("ms", "UTC")), ["+20000-01-01T00:00:00Z"] * 2, id="year"
    ),
    pytest.param(pa.array([6585329, -719_529], pa.date32()), ["+20000-01-08", "-0001-12-31"], id="date"),
    pytest.param(pa.array([1_500, -5], pa.duration("ns")), ["PT0.000001500S", "-PT0.000000005S"], id="duration"),
    pytest.param(
        pa.array([Decimal("1.10"), Decimal("-9" * 1 + "9" * 59)], pa.decimal256(76, 2)),
        ["1.10", "-" + "9" * 60 + ".00"],
        id="decimal",
    ),
    pytest.param(
        pa.array([b"0123456789abcdef"] * 2, pa.uuid()), ["30313233-3435-3637-3839-616263646566"] * 2, id="uuid"
    ),
    pytest.param(pa.array([b"\xff\0", b""], pa.binary()), ["/wA=", ""], id="binary"),
    pytest.param(
        pa.array([[("a", 1), ("a", 2)], None], pa.map_(pa.string(), pa.int8())), ['[["a", 1], ["a", 2]]', ""], id="map"
    ),
    pytest.param(BROKEN, None, id="utf8"),
]


@pytest.mark.parametrize(("odd", "fields"), UNREAD)
def test_an_unused_column_never_makes_a_table_unusable(
    bundle: Path, tmp_path: Path, odd: Any, fields: list[str] | None
) -> None:
    """T10: in training, evaluation and prediction; to CSV in the guide's words, or refused in a sentence."""
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["a film", "so so"], "odd": odd, "label": ["yes", "no"]}), source)
    dataset = read_examples(source, trainable=False)
    assert [(one.text, one.target) for one in dataset.examples] == [("a film", "yes"), ("so so", "no")]
    after = pq.read_table(label(bundle, source, "out.parquet"))
    assert after["odd"].combine_chunks().equals(pq.read_table(source)["odd"].combine_chunks())
    if fields is not None:
        assert [row["odd"] for row in delimited(label(bundle, source, "out.csv"))] == fields
        return
    for target, format in (("out.csv", "CSV"), ("out.jsonl", "JSON lines")):
        message = (
            rf"\(row 1: a value that {format} cannot represent in column 'odd' \(its byte 0xff at 1 is not UTF-8\)\)"
        )
        with pytest.raises(DataError, match=message):
            label(bundle, source, target)
        kept = label(bundle, source, target, skip_bad_rows=True).read_text()
        assert "so so" in kept
        assert "a film" not in kept


@pytest.mark.parametrize("column", ["text", "label"])
def test_a_value_that_is_read_and_cannot_be_is_a_bad_row(tmp_path: Path, column: str) -> None:
    """T10: only there."""
    other = {"text": "label", "label": "text"}[column]
    pq.write_table(pa.table({column: BROKEN, other: ["x", "y"]}), tmp_path / "in.parquet")
    with pytest.raises(
        DataError, match=rf"1 bad row \(row 1: .* in column '{column}' \(its byte 0xff at 1 is not UTF-8\)"
    ):
        read_examples(tmp_path / "in.parquet", trainable=False)


def test_half_of_a_surrogate_pair_in_a_column_that_nobody_reads(bundle: Path, tmp_path: Path) -> None:
    """T10: JSON lines pass it on as it is written."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "a", "label": "x", "odd": "\\ud83d"}\n{"text": "b", "label": "y", "odd": 1.10}\n')
    assert len(read_examples(source, trainable=False).examples) == 2
    assert (
        label(bundle, source, "out.jsonl").read_text().startswith('{"text": "a", "label": "x", "odd": "\\ud83d", "pred')
    )
    for target in ("out.csv", "out.parquet"):
        with pytest.raises(
            DataError, match=r"\(line 1: a value that .* cannot represent in column 'odd' \(half of a surrogate"
        ):
            label(bundle, source, target)


def test_a_nul_character_is_refused_by_csv_alone(bundle: Path, tmp_path: Path) -> None:
    """T10: readers of CSV refuse it, or end the field there."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "a", "odd": "x\\u0000y"}\n')
    with pytest.raises(
        DataError, match=r"\(line 1: a value that CSV cannot represent in column 'odd' \(a NUL character\)\)"
    ):
        label(bundle, source, "out.csv")
    assert pq.read_table(label(bundle, source, "out.parquet"))["odd"].to_pylist() == ["x\0y"]
    assert json.loads(label(bundle, source, "out.jsonl").read_text())["odd"] == "x\0y"
