"""Opened bundles of tiny random networks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bertline.library import load
from bertline.library.model import Model
from bertline.testing.tiny import write_tiny_bundle

CASES: dict[str, dict[str, Any]] = {
    "bert": {},
    "distilbert": {"family": "distilbert", "pooling": "mean"},
    "roberta": {"family": "roberta"},
    "electra": {"family": "electra"},
    "normalised": {"pooling": "normalised", "labels": ("Negative", "Positive"), "temperature": 1.0},
    "several": {"task": {"task": "classify", "problem": "several", "labels": ("a", "b")}},
    "number": {"task": {"task": "classify", "problem": "number", "labels": ("stars",)}},
    "pairs": {"pairs": True},
    "ranker": {"task": {"task": "rank"}},
    "tagger": {"task": {"task": "tag", "types": ("PER",)}, "pooling": "none", "truncation": "window"},
    "embedder": {"task": {"task": "embed"}, "pooling": "mean"},
    "filler": {"task": {"task": "fill"}, "pooling": "none", "truncation": "window"},
}


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """From the name of a case to its bundle and model."""

    @cache
    def one(case: str) -> tuple[Path, Model]:
        bundle = tmp_path_factory.mktemp("anatomy") / "tiny"
        write_tiny_bundle(bundle, engine=True, **CASES[case])
        return bundle, load(bundle)

    return one
