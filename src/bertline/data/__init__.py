"""Labelled text: tables in and out, examples, labels, splits, duplicates and fingerprints.

Nothing here knows of tokens or tensors; a table becomes a ``Dataset`` of strings, and what is wrong with it
is said with its line. ``batching`` lays out what the tokenizer made of it.
"""

from bertline.data.duplicates import Duplicate, cross_duplicates
from bertline.data.examples import Dataset, Example, read_examples
from bertline.data.fingerprint import Fingerprint, fingerprint
from bertline.data.labels import Labels
from bertline.data.rows import BadRow, BadRows, Row
from bertline.data.split import Split, stratified_split
from bertline.data.table import open_writer, read_rows

__all__ = [
    "BadRow",
    "BadRows",
    "Dataset",
    "Duplicate",
    "Example",
    "Fingerprint",
    "Labels",
    "Row",
    "Split",
    "cross_duplicates",
    "fingerprint",
    "open_writer",
    "read_examples",
    "read_rows",
    "stratified_split",
]
