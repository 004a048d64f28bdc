"""The files of images, charts and pipelines, and the values in them."""

from __future__ import annotations

import pytest

from bertline.deploy import templates


def test_only_places_of_values_are_replaced() -> None:
    text = "uses: a/checkout@de0fac2 ${{ secrets.key }} {{ .Values.image }} @{image} @{ image }"
    filled = "uses: a/checkout@de0fac2 ${{ secrets.key }} {{ .Values.image }} mails @{ image }"
    assert templates.fill(text, {"image": "mails"}) == filled


def test_a_place_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="image"):
        templates.fill("@{image}", {})
