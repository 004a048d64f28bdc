"""The table of a probe has one label per text."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.data.settings import AS_FOUND
from bertline.errors import DataError
from bertline.testing.tiny import tiny_tokenizer
from bertline.training.pretraining.probe import read_probe


def test_lists_of_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "probe.csv"
    path.write_text('text,label\na film,"[""good""]"\nmore,"[""good""]"\nless,[]\n')
    with pytest.raises(DataError, match=r"line 2: a list where .* \(a probe learns one label per text\)"):
        read_probe(path, AS_FOUND, tiny_tokenizer(), rows=10, max_tokens=8)
