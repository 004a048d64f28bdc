"""Another predictor of a bundle, loaded once, and only of the version that the model has."""

from __future__ import annotations

from typing import Any

import pytest

from bertline.errors import BundleError
from bertline.library.lazily import Lazily


class Named:
    def __init__(self, version: str) -> None:
        self.name, self.version = "reviews", version


def test_it_is_loaded_once() -> None:
    loads: list[str] = []

    def load() -> Any:
        loads.append("")
        return Named("1")

    lazily = Lazily(load, Named("1"))  # type: ignore[arg-type]
    assert not loads
    assert lazily.get("") is lazily.get("")
    assert len(loads) == 1


def test_another_version_is_not_used() -> None:
    lazily = Lazily(lambda: Named("2"), Named("1"))  # type: ignore[arg-type, return-value]
    with pytest.raises(BundleError) as caught:
        lazily.get("to look inside")
    assert str(caught.value) == "reviews was replaced since it was loaded: load it again to look inside"
