"""The series and labels that PromQL expressions use, from a parser rather than from text search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import promql_parser

from bertline.monitoring.dashboards.objectives import recorded
from bertline.monitoring.metrics.registry import TABLE

COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
ADDED = frozenset({"job", "instance"})  # Prometheus adds these to every series
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
THEIRS = {  # series of prometheus-client and of Prometheus itself
    "up": ADDED,
    "process_start_time_seconds": ADDED,
    "process_resident_memory_bytes": ADDED,
    "process_cpu_seconds_total": ADDED,
}


def known() -> dict[str, frozenset[str]]:
    """Labels of every possible series, by its name in Prometheus."""
    found: dict[str, frozenset[str]] = dict(THEIRS)
    for one in TABLE:
        for suffix in SUFFIXES[one.kind]:
            labels = {*one.labels, *(("le",) if suffix == "_bucket" else ())}
            found[f"{one.name}{suffix}"] = ADDED | labels
    return found | {name: frozenset({"job"}) for name in recorded()}


def plain(expression: str, *, job: str = "bertline", range_: str = "1m") -> str:
    """The expression as Grafana sends it."""
    told = {"$__rate_interval": range_, "$__range": range_, "$job": job, "$model": ".+"}
    for word, value in told.items():
        expression = expression.replace(word, value)
    return expression


@dataclass
class Uses:
    """Of one expression.

    Attributes:
        selected: name of each series with the labels that are asked of it.
        named: labels that aggregations and matches name.
        all_of: labels that the series have, together.
    """

    selected: list[tuple[str, set[str]]] = field(default_factory=list)
    named: set[str] = field(default_factory=set)


def uses(expression: str) -> Uses:
    """What the expression uses.

    Raises:
        ValueError: it is none.
    """
    found = Uses()

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.selected.append((node.name, {one.name for one in node.matchers.matchers}))
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            found.named |= set(node.modifier.labels)
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
            matching = node.modifier.matching
            found.named |= set(matching.labels) if matching is not None else set()
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def measured(expression: str) -> str:
    """The expression without its comparisons: what an alert looks at, whether it fires or not."""

    def without(node: Any) -> Any:
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) in COMPARISONS:
            return promql_parser.parse(f"({promql_parser.transform(node.lhs, without)})")
        return None

    return str(promql_parser.transform(promql_parser.parse(expression), without).prettify())
