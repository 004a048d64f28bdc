"""Labels for texts from the command line or from standard input, one line of output per text."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from bertline.bundle.verify import read_manifest
from bertline.cli.predict_lines import Layout, layout_of
from bertline.cli.predict_screen import PredictScreen, note, skipped_sentence
from bertline.data.decoding import Bytes, lines_of, text_of
from bertline.data.formats import STANDARD
from bertline.data.rows import BadRow, BadRows, line_fault
from bertline.data.settings import TableSettings
from bertline.data.table import open_table
from bertline.errors import UsageError
from bertline.inference import Predictor, predict_stream
from bertline.inference.label_tally import LabelTally
from bertline.inference.requested import spec_of
from bertline.inference.table_texts import Legible
from bertline.inference.zero_shot import load_with_labels
from bertline.tasks.contract import TaskSpec
from bertline.tasks.fill.spec import lacks
from bertline.tasks.zero_shot import Candidates
from bertline.text import Tokenizer, why_unread
from bertline.text.reading import Input, texts_of

SOURCE = "standard input"
EMPTY = "an empty line"
UNREAD = "a line of which the model reads nothing"
LONGEST_NAME = 256  # of a file, about


@dataclass(frozen=True, slots=True)
class How:
    """How texts are answered and written, as the command's flags say.

    Attributes:
        top_k: labels or words to give.
        targets: words to choose from.
        as_json: write JSON lines.
        engine: by name; None is the bundle's first.
        candidates: labels that the model was not trained on; None is the model's own task.
        dimensions: leading dimensions of an embedding to keep; None is all.
    """

    top_k: int | None = None
    targets: Sequence[str] | None = None
    as_json: bool = False
    engine: str | None = None
    candidates: Candidates | None = None
    dimensions: int | None = None


def label_arguments(bundle: Path, texts: Sequence[Input], how: How) -> None:
    """Label the arguments of the command.

    Raises:
        UsageError: one is empty, or its bytes are no text; or they are pairs and the model reads single texts.
        BundleError: the bundle cannot be loaded.
    """
    check_texts(texts, reader_of(bundle))
    predictor = load_with_labels(bundle, how.candidates, engine=how.engine)
    layout, spec = _layout(predictor, how, echo=len(texts) > 1)
    for number, text in enumerate(texts, 1):
        if predictor.spec.required not in texts_of(text)[0]:
            raise UsageError(f"text {number} {lacks(predictor.spec.required)}")
    if not predictor.spec.pairs and not all(isinstance(one, str) for one in texts):
        raise UsageError(f"--text-pair is for models that read pairs, and {bundle} reads single texts: leave it out")
    tally = _answer(predictor, texts, layout, PredictScreen(shown=False), spec)
    note(tally.cut_sentence(predictor.max_tokens))
    if predictor.spec.pairs and isinstance(texts[0], str):
        ranks = predictor.spec.reads == "query"
        told = (
            "scores texts for a query and was given none: --text-pair gives a text"
            if ranks
            else "reads pairs of texts and was given single ones: --text-pair gives a text its second one"
        )
        note(f"note: {bundle} {told}")
    for text in chain.from_iterable(map(texts_of, texts)):
        if len(text) < LONGEST_NAME and Path(text).is_file():
            note(f"note: {text} is also a file; what was labelled is its name. For its rows: --input {text}")


def label_lines(bundle: Path, settings: TableSettings, how: How) -> None:
    """Label standard input, line by line.

    Raises:
        DataError: as ``good_lines``.
        BundleError: the bundle cannot be loaded.
    """
    predictor = load_with_labels(bundle, how.candidates, engine=how.engine)
    layout, spec = _layout(predictor, how, echo=True)
    bad, reads, required = BadRows(SOURCE), reader_of(bundle), predictor.spec.required
    with open_table(STANDARD, SOURCE) as stream:
        lines = good_lines(stream, settings.encoding, bad, reads, skip=settings.skip_bad_rows, required=required)
        with closing(lines):
            tally = _answer(predictor, lines, layout, PredictScreen(shown=not sys.stdout.isatty()), spec)
    note(tally.cut_sentence(predictor.max_tokens))
    note(skipped_sentence(bad))


def reader_of(bundle: Path) -> Legible:
    """Tells whether the bundle's tokenizer leaves any token of a text; what it leaves none of cannot be labelled.

    Raises:
        BundleError: there is no bundle.
    """
    read_manifest(bundle)
    return Tokenizer.from_bundle(bundle).reads


def check_texts(texts: Sequence[Input], reads: Legible) -> None:
    """Check that a model reads something of every argument.

    Raises:
        UsageError: it reads nothing of one, or the bytes of one are no text.
    """
    names = ("text", "--text-pair")
    for number, one in enumerate(texts, 1):
        for name, text in zip(names, texts_of(one), strict=False):
            if not reads(text):
                raise UsageError(f"{name} {number} {why_unread(text)}: leave it out, or check the quotes")
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise UsageError(f"{name} {number} is not UTF-8: pipe it in and pass its --encoding")


def good_lines(
    stream: Bytes, encoding: str, bad: BadRows, reads: Legible, *, skip: bool, required: str = ""
) -> Generator[str]:
    """The texts of a stream, one per line; empty lines at its end do not count.

    Args:
        stream: the lines' bytes; a line ends at a line feed only.
        encoding: of the lines, as for ``data.decoding.codec_of``.
        bad: takes the lines that are no text.
        reads: tells whether the model reads anything of a text.
        skip: go on after one.
        required: what every text must contain.

    Raises:
        DataError: without ``skip``, a line is empty, has nothing that the model reads, or is not in the encoding; or
            the encoding is not known.
    """
    empty: list[BadRow] = []
    with text_of(stream, SOURCE, encoding, newline="\n") as (lines, codec):
        for number, line in enumerate(lines_of(lines, SOURCE, codec), 1):
            text = line.rstrip("\r\n")
            if not text.strip() and not reads(text):
                empty.append(BadRow(number, EMPTY))
                continue
            fault = line_fault(text, codec) or (None if reads(text) else (UNREAD, why_unread(text)))
            if fault is None and required not in text:
                fault = (f"a line without {required}", "")
            faults = [*empty, *([BadRow(number, *fault)] if fault else [])]
            empty.clear()
            for one in faults:
                bad.add(one)
            if faults and not skip:
                raise bad.error()
            if not fault:
                yield text


def _layout(predictor: Predictor, how: How, *, echo: bool) -> tuple[Layout, TaskSpec | None]:
    spec = spec_of(predictor, how.top_k, how.targets, how.dimensions)
    return layout_of(predictor, how.top_k, as_json=how.as_json, echo=echo), spec


def _answer(
    predictor: Predictor,
    texts: Iterable[Input],
    layout: Layout,
    screen: PredictScreen,
    spec: TaskSpec | None,
) -> LabelTally:
    tally = LabelTally()
    with screen:
        screen.begin("labelling")
        answer = partial(predictor.predict, spec=spec)
        for text, prediction in predict_stream(answer, ((text, text) for text in texts)):
            sys.stdout.write(layout(text, prediction) + "\n")
            tally.add(prediction)
            screen.advance()
    return tally
