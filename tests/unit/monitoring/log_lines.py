"""Reads lines of the log back and holds them against the table of fields."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bertline.monitoring.logs.table import FIELDS, TABLE

EVERY_LINE = {one.name for one in TABLE if one.when == "line"}


def _is_ip(value: Any) -> bool:
    return bool(ipaddress.ip_address(value))


def _is_date(value: Any) -> bool:
    return datetime.fromisoformat(value).utcoffset() is not None


# What Elasticsearch would take without a word; it refuses a whole line for one value of another type.
FITS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_date,
    "float": lambda value: isinstance(value, float),
    "ip": _is_ip,
    "keyword": lambda value: isinstance(value, str),
    "long": lambda value: isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
    "match_only_text": lambda value: isinstance(value, str),
    "wildcard": lambda value: isinstance(value, str),
}


def read(text: str) -> list[dict[str, Any]]:
    """Every line, checked."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert list(line)[:3] == ["@timestamp", "log.level", "message"]
        assert line.keys() >= EVERY_LINE, EVERY_LINE - line.keys()
        for name, value in line.items():
            field = FIELDS[name]
            assert isinstance(value, list) is field.several, name
            assert all(FITS[field.type](one) for one in (value if field.several else [value])), (name, value)
    return lines
