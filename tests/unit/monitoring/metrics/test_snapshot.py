from __future__ import annotations

from math import inf, isnan, nan

import pytest

from bertline.monitoring.metrics.registry import Metrics, samples_of
from bertline.monitoring.metrics.snapshot import Snapshot, increase, increases, quantile, quantiles


def taken(metrics: Metrics, at_s: float = 0) -> Snapshot:
    return Snapshot(at_s, tuple(samples_of(metrics.text().decode())))


def test_totals_and_labels_match_the_metrics() -> None:
    metrics = Metrics()
    for model, texts in (("a", 3), ("b", 4)):
        metrics.count("bertline_texts", texts, model=model, version="1", op="classify")
    found = taken(metrics)
    assert found.total("bertline_texts_total") == 7
    assert found.total("bertline_texts_total", model="a") == 3
    assert found.by("bertline_texts_total", "model") == {"a": 3, "b": 4}
    assert found.total("bertline_texts_total", model="c") == 0


def test_a_counter_that_began_anew_counts_from_zero() -> None:
    assert increase(100, 7) == 7
    assert increases({"a": 1, "b": 5}, {"a": 4, "b": 5, "c": 2}) == {"a": 3, "c": 2}


@pytest.mark.parametrize(
    ("share", "buckets", "wanted"),
    [
        (0.5, [(0.1, 10.0), (0.2, 10.0), (inf, 10.0)], 0.05),
        (0.99, [(0.1, 0.0), (0.2, 100.0), (inf, 100.0)], 0.199),
        (0.99, [(0.1, 50.0), (0.2, 50.0), (inf, 100.0)], 0.2),  # beyond the last bound
        (0.5, [(0.1, 0.0), (inf, 0.0)], nan),
        (0.5, [], nan),
    ],
)
def test_a_quantile_is_prometheus_own(share: float, buckets: list[tuple[float, float]], wanted: float) -> None:
    found = quantile(share, buckets)
    assert found == pytest.approx(wanted) or (isnan(found) and isnan(wanted))


def test_quantiles_cover_the_observations_between_two_snapshots() -> None:
    metrics = Metrics()
    for _ in range(1000):
        metrics.observe("bertline_http_request_seconds", 9, route="/v1/predict")
    before = taken(metrics)
    for _ in range(100):
        metrics.observe("bertline_http_request_seconds", 0.003, route="/v1/predict")
        metrics.observe("bertline_http_request_seconds", 20, route="/metrics")
    found = quantiles(
        before, taken(metrics), "bertline_http_request_seconds", 0.5, 0.99, labels=[{"route": "/v1/predict"}]
    )
    assert found == [pytest.approx(0.00375), pytest.approx(0.004975)]


def test_text_in_another_format_is_rejected() -> None:
    with pytest.raises(ValueError, match="invalid metric name"):
        list(samples_of("<html>\n<p>hello"))
