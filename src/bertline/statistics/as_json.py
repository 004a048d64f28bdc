"""Figures as JSON has them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def as_json(value: Any) -> Any:
    """A dataclass as an object of its fields, and a tuple as a list; whatever has a ``to_json`` writes itself.

    >>> from bertline.statistics.intervals import Estimate
    >>> as_json({"f1": Estimate(0.5, 0.25, 0.75), "points": ((0.0, 1.0),)})
    {'f1': {'value': 0.5, 'low': 0.25, 'high': 0.75}, 'points': [[0.0, 1.0]]}
    """
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: as_json(entry) for name, entry in value.items()}
    return [as_json(entry) for entry in value] if isinstance(value, tuple | list) else value
