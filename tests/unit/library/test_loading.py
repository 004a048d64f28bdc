"""A bundle that cannot be opened; models that answer are in test_model.py."""

from __future__ import annotations

from pathlib import Path

import pytest

import bertline


def test_a_bundle_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(bertline.BundleError, match="nowhere"):
        bertline.load(tmp_path / "nowhere")
