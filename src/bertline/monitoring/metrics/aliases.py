"""Our metrics under the names that other servers' dashboards use, computed when they are read.

The counters of Text Embeddings Inference (1.9) have no ``_total``, so neither have these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for the sum of some series of a metric."""

    name: str
    of: str  # name in our table
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # required labels, with accepted values
    labels: Callable[[Mapping[str, str]], dict[str, str]] = lambda _: {}  # labels of the alias, from those of a series


# TEI's kind of failure for each of our codes; all others are "validation".
TEI_FAILURES: Mapping[str, str] = {
    "overloaded": "overloaded", "compute_failed": "inference", "worker_lost": "inference", "no_memory": "inference",
    "too_many_texts": "batch_size", "deadline": "dropped", "missing_field": "missing_values",
}  # fmt: skip

_CLASSIFIED, _EMBEDDED = {"op": ("classify",)}, {"op": ("embed", "hidden")}


def _method(labels: Mapping[str, str]) -> dict[str, str]:
    return {"method": labels["size"]}


def _failure(labels: Mapping[str, str]) -> dict[str, str]:
    return {"err": TEI_FAILURES.get(labels["code"], "validation")}


ALIASES: tuple[Alias, ...] = (
    Alias("te_request_count", "bertline_requests", {}, _method),
    Alias("te_request_success", "bertline_requests", {}, _method),
    Alias("te_request_failure", "bertline_problems", {}, _failure),
    Alias("te_request_duration", "bertline_http_request_seconds"),
    Alias("te_request_tokenization_duration", "bertline_phase_seconds", {"phase": ("tokenise",)}),
    Alias("te_request_queue_duration", "bertline_phase_seconds", {"phase": ("queue",)}),
    Alias("te_request_inference_duration", "bertline_phase_seconds", {"phase": ("compute",)}),
    Alias("te_request_input_length", "bertline_text_tokens"),
    Alias("te_batch_next_size", "bertline_batch_texts"),
    Alias("te_batch_next_tokens", "bertline_batch_tokens"),
    Alias("te_predict_count", "bertline_texts", _CLASSIFIED),
    Alias("te_predict_success", "bertline_texts", _CLASSIFIED),
    Alias("te_embed_count", "bertline_texts", _EMBEDDED),
    Alias("te_embed_success", "bertline_texts", _EMBEDDED),
    Alias("te_queue_size", "bertline_queue_texts"),
)


class Aliases(Collector):
    """Collects all ``ALIASES``; ``families`` returns those of one of our metrics."""

    def __init__(self, families: Callable[[str], Iterable[Family]]) -> None:
        self._families = families

    def describe(self) -> list[Family]:
        """Empty, so that registering does not collect values."""
        return []

    def collect(self) -> Iterator[Family]:
        """The families under their other names."""
        for alias in ALIASES:
            for family in self._families(alias.of):
                yield renamed(family, alias)


def renamed(family: Family, alias: Alias) -> Family:
    """The matching series of a family, summed by the labels of the alias."""
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)
    for sample in family.samples:
        if all(sample.labels.get(label) in values for label, values in alias.where.items()):
            labels = alias.labels(sample.labels) | ({"le": sample.labels["le"]} if "le" in sample.labels else {})
            end = sample.name.removeprefix(alias.of).removesuffix("_total")
            sums[end, tuple(labels.items())] += sample.value
    kind = "gauge" if family.type == "counter" else family.type  # a counter's name would get a _total
    result = Family(alias.name, f"As {alias.of}.", kind)
    for (end, labels_of), value in sums.items():
        result.add_sample(f"{alias.name}{end}", dict(labels_of), value)
    return result
