"""The table of metrics and what becomes of it."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bertline.monitoring.metrics.registry import TABLE, Metrics


def read(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, as Prometheus would store it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("metric", TABLE, ids=lambda one: one.name)
def test_every_row_follows_the_rules_for_names(metric: object) -> None:
    one = next(row for row in TABLE if row is metric)
    assert re.fullmatch(r"bertline_[a-z_]+[a-z]", one.name)
    assert not one.name.endswith("_total"), "the library adds it"
    assert one.help.endswith(".")
    assert (one.kind == "histogram") == bool(one.buckets)
    assert list(one.buckets) == sorted(one.buckets)
    if one.unit == "seconds":
        assert one.name.endswith("_seconds")


def test_no_two_rows_have_one_name() -> None:
    assert len({one.name for one in TABLE}) == len(TABLE)


def test_counters_gauges_and_histograms_are_read_back() -> None:
    metrics = Metrics()
    metrics.count("bertline_problems", code="deadline")
    metrics.count("bertline_problems", 2, code="deadline")
    metrics.set("bertline_queue_tokens", 7, model="a")
    metrics.set("bertline_queue_tokens", 5, model="a")
    metrics.observe("bertline_batch_texts", 3, model="a")
    samples = read(metrics)
    assert samples["bertline_problems_total", (("code", "deadline"),)] == 3
    assert samples["bertline_queue_tokens", (("model", "a"),)] == 5
    assert samples["bertline_batch_texts_bucket", (("le", "2.0"), ("model", "a"))] == 0
    assert samples["bertline_batch_texts_bucket", (("le", "4.0"), ("model", "a"))] == 1
    assert any(name == "process_resident_memory_bytes" for name, _ in samples)


def test_gauges_are_set_when_the_metrics_are_read() -> None:
    metrics, asked = Metrics(), []
    metrics.before_reading(lambda: asked.append(metrics.set("bertline_ready", len(asked) + 1)))
    assert read(metrics)["bertline_ready", ()] == 1
    assert read(metrics)["bertline_ready", ()] == 2


def test_a_cleared_gauge_has_no_series_until_it_is_set_again() -> None:
    metrics = Metrics()
    for version in ("1", "2"):
        metrics.clear("bertline_model_info")
        metrics.set("bertline_model_info", 1, model="a", version=version, engine="fp32")
    series = [labels for name, labels in read(metrics) if name == "bertline_model_info"]
    assert [dict(labels)["version"] for labels in series] == ["2"]


def test_a_metric_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError):
        Metrics().count("bertline_texts_of_my_own")


def test_a_label_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics().count("bertline_problems", text="secret")
