"""Other servers' names for our metrics."""

from __future__ import annotations

from bertline.monitoring.metrics.aliases import ALIASES
from bertline.monitoring.metrics.registry import TABLE, Metrics
from tests.unit.monitoring.metrics.test_registry import read

TEI = {
    "te_request_count", "te_request_success", "te_request_failure", "te_request_duration",
    "te_request_tokenization_duration", "te_request_queue_duration", "te_request_inference_duration",
    "te_request_input_length", "te_batch_next_size", "te_batch_next_tokens", "te_predict_count", "te_predict_success",
    "te_embed_count", "te_embed_success", "te_queue_size",
}  # fmt: skip


def test_the_names_equal_text_embeddings_inferences() -> None:
    assert {alias.name for alias in ALIASES} == TEI


def test_every_alias_is_of_a_metric_in_the_table_and_asks_for_labels_that_it_has() -> None:
    rows = {row.name: row for row in TABLE}
    for alias in ALIASES:
        assert set(alias.where) <= set(rows[alias.of].labels)


def test_series_of_several_models_are_summed_and_others_left_out() -> None:
    metrics = Metrics()
    for model in ("a", "b"):
        metrics.count("bertline_texts", 3, model=model, version="1", op="classify")
        metrics.count("bertline_texts", 1, model=model, version="1", op="embed")
        metrics.observe("bertline_phase_seconds", 0.003, model=model, phase="queue")
        metrics.observe("bertline_phase_seconds", 9, model=model, phase="compute")
    metrics.count("bertline_requests", 5, model="a", op="classify", size="batch")
    metrics.count("bertline_problems", 1, code="overloaded")
    metrics.count("bertline_problems", 2, code="empty_text")
    samples = read(metrics)
    assert samples["te_predict_count", ()] == 6
    assert samples["te_embed_success", ()] == 2
    assert samples["te_request_queue_duration_bucket", (("le", "0.005"),)] == 2
    assert samples["te_request_queue_duration_count", ()] == 2
    assert samples["te_request_count", (("method", "batch"),)] == 5
    assert samples["te_request_failure", (("err", "overloaded"),)] == 1
    assert samples["te_request_failure", (("err", "validation"),)] == 2
