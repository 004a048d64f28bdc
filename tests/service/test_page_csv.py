"""The page's own CSV parser, beside Python's, and what it makes of files as they come: in a real browser."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from bertline.testing.words import WordCounter
from tests.service.live import live

pytestmark = pytest.mark.browser

PARSE = """async ([texts, delimiter]) => {
  const { records } = await import("/page/csv.js");
  return texts.map((text) => [...records(text, delimiter)]);
}"""
READ = """async ([bytes, name]) => {
  const { readTable, textColumn } = await import("/page/table.js");
  try {
    const table = await readTable(new File([new Uint8Array(bytes)], name));
    return { ...table, column: textColumn(table) };
  } catch (error) {
    return { error: `${error.name} ${error.message}` };
  }
}"""
WRITE = """async ([bytes, scored]) => {
  const { readTable, scoredFile } = await import("/page/table.js");
  const table = await readTable(new File([new Uint8Array(bytes)], "rows.csv"));
  return [...new Uint8Array(await (await scoredFile(table, scored)).arrayBuffer())];
}"""

WORK = """async (rows) => {
  const { readTable, scoredFile } = await import("/page/table.js");
  const file = new File(["text,n\\n", ...Array(rows).fill('"a ""good"" film, and a line\\nmore",1\\n')], "rows.csv");
  const began_ms = performance.now();
  let last_ms = began_ms, longest_ms = 0, working = true;
  const watch = new MessageChannel();
  watch.port1.onmessage = () => {
    longest_ms = Math.max(longest_ms, performance.now() - last_ms);
    last_ms = performance.now();
    if (working) watch.port2.postMessage(null);
  };
  watch.port2.postMessage(null);
  const table = await readTable(file);
  const blob = await scoredFile(table, table.rows.map(() => ({ label: "good", probability: 0.5, error: "" })));
  working = false;
  longest_ms = Math.max(longest_ms, performance.now() - last_ms);
  return { longest_ms, all_ms: performance.now() - began_ms, rows: table.rows.length, bytes: blob.size };
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with live({"reviews": WordCounter()}) as url:
        one = browser.new_page()
        one.goto(url)
        yield one
        one.close()


def parsed(page: Page, texts: list[str], delimiter: str = ",") -> list[list[list[str]]]:
    found = page.evaluate(PARSE, [texts, delimiter])
    return [[record["fields"] for record in records] for records in found]


def read(page: Page, content: bytes, name: str = "rows.csv") -> Any:
    return page.evaluate(READ, [list(content), name])


def test_pythons_output_is_read_unchanged(page: Page) -> None:
    chance = random.Random(1)
    pieces = ["", "a", "good film", '"', '""', ",", ";", "\t", "\n", "\r\n", "\r", " ", "é", "🙂", "\u2028"]
    written: dict[str, list[tuple[str, list[list[str]]]]] = {",": [], ";": [], "\t": []}
    for _ in range(600):
        delimiter = chance.choice(list(written))
        columns = chance.randint(1, 4)
        rows = [
            ["".join(chance.choices(pieces, k=chance.randint(0, 4))) for _ in range(columns)]
            for _ in range(chance.randint(0, 5))
        ]
        out = io.StringIO()
        end = chance.choice(["\n", "\r\n", "\r"])
        # Of the ends of line, Python quotes only those that it writes itself.
        quoting = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]) if end == "\r\n" else csv.QUOTE_ALL
        csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
        text = out.getvalue()
        written[delimiter].append((text.removesuffix(end) if chance.random() < 0.3 and text != end else text, rows))
    for delimiter, cases in written.items():
        assert len(cases) > 100
        assert parsed(page, [text for text, _ in cases], delimiter) == [rows for _, rows in cases]


def test_invalid_json_numbers_are_read_as_by_python(page: Page) -> None:
    chance = random.Random(2)
    texts = ["".join(chance.choices('ab,"\n', k=chance.randint(1, 14))) for _ in range(4000)]
    sound = [text for text in texts if _closes(text)]
    assert 1000 < len(sound) < 4000
    expected = [[row for row in csv.reader(io.StringIO(text, newline="")) if row] for text in sound]
    assert parsed(page, sound) == expected


def _closes(text: str) -> bool:
    """Every quote that opens is closed."""
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=False))
        # With something behind it, an open quote swallows what should be a record of its own.
        *_, last = csv.reader(io.StringIO(text + "\nlast", newline=""))
    except csv.Error:
        return False
    return last == ["last"]


def test_a_record_says_in_which_line_it_begins(page: Page) -> None:
    text = 'text,n\r\n"two\r\nlines",1\r\n\r\nplain,2\n"a\rb\nc",3\rlast,4'
    (records,) = page.evaluate(PARSE, [[text], ","])
    assert [record["line"] for record in records] == [1, 2, 5, 6, 9]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("text,n\nnaïve 🙂,1\n".encode(), "UTF-8"),
        ("\ufefftext,n\r\nnaïve 🙂,1\r\n".encode(), "UTF-8"),
        ("\ufefftext\tn\r\nnaïve 🙂\t1\r\n".encode("utf-16-le"), "UTF-16"),
        ("text;n\nnaïve …;1\n".encode("cp1252"), "Windows-1252"),
    ],
)
def test_files_saved_by_spreadsheets(page: Page, content: bytes, encoding: str) -> None:
    table = read(page, content)
    assert table["encoding"] == encoding
    assert table["header"] == ["text", "n"]
    assert table["rows"][0]["fields"] in (["naïve 🙂", "1"], ["naïve …", "1"])


@pytest.mark.parametrize(
    ("header", "column"),
    [("id,Review,stars", 1), ("SENTENCE,label", 0), ("id, text ,title", 1), ("id,what they said", 1), ("context,x", 0)],
)
def test_the_column_of_the_texts_is_found(page: Page, header: str, column: int) -> None:
    rows = "1,a longer thing to say,9\n" if column else "a longer thing to say,1\n"
    assert read(page, f"{header}\n{rows}".encode())["column"] == column


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "There is nothing to score"),
        (b"text\n", "There is nothing to score"),
        (b'text,n\ngood,1\n"never,2\nbad,3\n', "The quote that opens in line 3 is never closed."),
        (b"PK\x03\x04\x00\x00", "This is not a text file: save the table as CSV in UTF-8."),
    ],
)
def test_an_invalid_table_is_rejected_with_a_message(page: Page, content: bytes, message: str) -> None:
    assert message in read(page, content)["error"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_file_is_returned_in_its_own_dialect_with_three_new_columns(
    page: Page, mark: str, end: str, delimiter: str
) -> None:
    rows = [["text", "n"], ['a "good" film', "1"], [f"one{delimiter}two", "2"], ["in two\nlines", "3"], ["", "4"]]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    scored = [{"label": "positive", "probability": 0.25, "error": ""}] * 3 + [{"error": "The text is empty."}]
    back = bytes(page.evaluate(WRITE, [list((mark + out.getvalue()).encode()), scored])).decode()
    added = [["label", "probability", "error"], *[["positive", "0.25", ""]] * 3, ["", "", "The text is empty."]]
    expected = io.StringIO()
    csv.writer(expected, delimiter=delimiter, lineterminator=end).writerows(
        [*row, *more] for row, more in zip(rows, added, strict=True)
    )
    assert back == mark + expected.getvalue()


def test_columns_that_the_file_has_keep_their_names_and_odd_lines_their_words(page: Page) -> None:
    content = b"text,Label,predicted_label\none\ntwo,a,b\nthree,a,b,c,d\n"
    scored = [{"error": ""}] * 3
    back = bytes(page.evaluate(WRITE, [list(content), scored])).decode()
    assert list(csv.reader(io.StringIO(back))) == [
        ["text", "Label", "predicted_label", "predicted_label_2", "probability", "error"],
        ["one", "", "", "", "", ""],
        ["two", "a", "b", "", "", ""],
        ["three", "a", "b,c,d", "", "", ""],
    ]


def test_much_work_is_done_in_small_pieces(page: Page) -> None:
    done = page.evaluate(WORK, 400_000)
    assert done["rows"] == 400_000
    assert done["longest_ms"] < done["all_ms"] / 4, done  # measured a twentieth; without a pause it would be all
