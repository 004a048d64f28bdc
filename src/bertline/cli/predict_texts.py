"""Labels for texts from the command line or from standard input, one line of output per text."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from bertline.bundle.verify import read_manifest
from bertline.cli.predict_lines import Layout, layout_of
from bertline.cli.predict_screen import LabelTally, PredictScreen, note, skipped_sentence
from bertline.data.decoding import HEAD_BYTES, codec_of
from bertline.data.rows import BadRow, BadRows, line_fault
from bertline.errors import DataError, UsageError
from bertline.inference import TextClassifier, load_predictor, predict_stream
from bertline.text import Tokenizer, why_unread

SOURCE = "standard input"
EMPTY = "an empty line"
UNREAD = "a line of which the model reads nothing"
LONGEST_NAME = 256  # of a file, about

Reads = Callable[[str], bool]


def label_arguments(
    bundle: Path, texts: Sequence[str], top_k: int | None, *, as_json: bool, engine: str | None = None
) -> None:
    """Label the arguments of the command.

    Raises:
        UsageError: one is empty, or its bytes are no text.
        BundleError: the bundle cannot be loaded.
    """
    _check(texts, reader_of(bundle))
    predictor = load_predictor(bundle, engine=engine)
    layout = layout_of(predictor, top_k, as_json=as_json, echo=len(texts) > 1)
    tally = _answer(predictor, texts, layout, PredictScreen(shown=False))
    note(tally.cut_sentence(predictor.max_tokens))
    for text in texts:
        if len(text) < LONGEST_NAME and Path(text).is_file():
            note(f"note: {text} is also a file; what was labelled is its name. For its rows: --input {text}")


def label_lines(
    bundle: Path,
    encoding: str,
    top_k: int | None,
    *,
    skip_bad_rows: bool,
    as_json: bool,
    engine: str | None = None,
) -> None:
    """Label standard input, line by line.

    Raises:
        DataError: as ``good_lines``.
        BundleError: the bundle cannot be loaded.
    """
    predictor = load_predictor(bundle, engine=engine)
    bad = BadRows(SOURCE)
    layout = layout_of(predictor, top_k, as_json=as_json, echo=True)
    with closing(good_lines(sys.stdin.buffer, encoding, bad, reader_of(bundle), skip=skip_bad_rows)) as lines:
        tally = _answer(predictor, lines, layout, PredictScreen(shown=not sys.stdout.isatty()))
    note(tally.cut_sentence(predictor.max_tokens))
    note(skipped_sentence(bad))


def reader_of(bundle: Path) -> Reads:
    """Tells whether the bundle's tokenizer leaves any token of a text; what it leaves none of cannot be labelled.

    Raises:
        BundleError: there is no bundle.
    """
    read_manifest(bundle)
    return Tokenizer.from_bundle(bundle).reads


def _check(texts: Sequence[str], reads: Reads) -> None:
    for number, text in enumerate(texts, 1):
        if not reads(text):
            raise UsageError(f"text {number} {why_unread(text)}: leave it out, or check the quotes")
        if any("\ud800" <= one <= "\udfff" for one in text):
            raise UsageError(f"text {number} is not UTF-8: pipe it in and pass its --encoding")


def good_lines(stream: BinaryIO, encoding: str, bad: BadRows, reads: Reads, *, skip: bool) -> Generator[str]:
    """The texts of a stream, one per line; empty lines at its end do not count.

    Args:
        stream: the lines' bytes.
        encoding: of the lines; UTF-8 may begin with a byte order mark.
        bad: takes the lines that are no text.
        reads: tells whether the model reads anything of a text.
        skip: go on after one.

    Raises:
        DataError: without ``skip``, a line is empty, has nothing that the model reads, or is not in the encoding; or
            the encoding is not known.
    """
    empty: list[BadRow] = []
    with _decoded(stream, encoding) as lines:
        for number, line in enumerate(lines, 1):
            text = line.rstrip("\r\n")
            if not text.strip() and not reads(text):
                empty.append(BadRow(number, EMPTY))
                continue
            fault = line_fault(text, encoding) or (None if reads(text) else (UNREAD, why_unread(text)))
            faults = [*empty, *([BadRow(number, *fault)] if fault else [])]
            empty.clear()
            for one in faults:
                bad.add(one)
            if faults and not skip:
                raise bad.error()
            if not fault:
                yield text


@contextmanager
def _decoded(stream: BinaryIO, encoding: str) -> Iterator[Iterable[str]]:
    """Lines that end at line feeds only; bytes that are no text are kept apart (PEP 383)."""
    peekable = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(Any, stream))
    try:
        codec = codec_of(peekable.peek(HEAD_BYTES), encoding)
        lines = io.TextIOWrapper(peekable, codec, errors="surrogateescape", newline="\n")
    except LookupError:
        raise UsageError(f"--encoding {encoding} is no encoding: give one such as utf-8 or latin-1") from None
    try:
        yield lines
    except UnicodeError as error:  # UTF-16 and its like cannot go on after a fault
        raise DataError(f"{SOURCE} is not {encoding} ({error}): pass its --encoding") from None
    finally:
        lines.detach()


def _answer(predictor: TextClassifier, texts: Iterable[str], layout: Layout, screen: PredictScreen) -> LabelTally:
    tally = LabelTally()
    with screen:
        screen.begin("labelling")
        for text, prediction in predict_stream(predictor, ((text, text) for text in texts)):
            sys.stdout.write(layout(text, prediction) + "\n")
            tally.add(prediction)
            screen.advance()
    return tally
