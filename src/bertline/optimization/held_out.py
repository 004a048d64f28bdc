"""The rows that engines are chosen by and measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bertline.bundle import Bundle
from bertline.bundle.reference import read_reference
from bertline.errors import BundleError
from bertline.optimization.candidates import EncodedRows
from bertline.tasks.contract import TaskSpec
from bertline.text import Input, Reader


def held_out_rows(
    bundle: Bundle, spec: TaskSpec, reader: Reader, read_texts: Callable[[], Sequence[Input]]
) -> tuple[EncodedRows, EncodedRows, Sequence[Input]]:
    """Rows to choose by, rows to report on, which no choice uses, and the unlabelled texts that are left.

    The rows are the bundle's own. A self-supervised task without them takes the unlabelled texts, which ``read_texts``
    reads, every other one to choose by.

    Raises:
        BundleError: there are none, or too few texts to make them of.
    """
    pad_id = reader.tokenizer.pad_id
    own = [read_reference(bundle.path, split, spec.names) for split in ("validation", "test")]
    if all(map(len, own)):
        tuning, test = (EncodedRows(reader.read(rows.inputs), rows.targets, pad_id) for rows in own)
        return tuning, test, read_texts()
    if spec.self_supervised((), reader.read) is None:
        raise BundleError(
            f"{bundle.path} carries no held-out rows to measure on (reference/): train it again, "
            "with --reference-rows above 0; an imported model without rows is served as it is"
        )
    texts = read_texts()
    made = spec.self_supervised(texts, reader.read)
    if not texts or made is None:
        raise BundleError(
            f"{bundle.path} carries no held-out rows to measure on: give texts with --unlabelled FILE, better "
            "hundreds, of which half choose the engine"
        )
    readings, targets = made
    if len(readings) < 2:
        raise BundleError(
            f"{bundle.path} carries no held-out rows to measure on, and --unlabelled gives {len(readings)} text(s) to "
            "make rows of: give a file with at least 2, better hundreds, of which half choose the engine"
        )
    tuning, test = (EncodedRows(readings[half::2], targets[half::2], pad_id) for half in (0, 1))
    return tuning, test, ()
