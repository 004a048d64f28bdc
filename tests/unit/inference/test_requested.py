from __future__ import annotations

from pathlib import Path

import pytest

from bertline.errors import UsageError
from bertline.inference import load_predictor
from bertline.inference.requested import spec_of, top_of


def test_more_labels_than_there_are_is_all_of_them(bundle: Path) -> None:
    predictor = load_predictor(bundle)
    assert top_of(predictor, None) == {}
    assert top_of(predictor, 99) == {"top_k": len(predictor.labels)}


def test_words_are_for_models_that_fill_in_words(bundle: Path) -> None:
    predictor = load_predictor(bundle)
    assert spec_of(predictor, 2, None) is None
    with pytest.raises(UsageError, match="--target is for models that fill in words, and tiny does not: leave it out"):
        spec_of(predictor, None, ["good"])
