"""The settings of the service: their bounds, and that every layer reaches them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.config import load_settings
from bertline.errors import SettingsError
from bertline.service import ServeSettings


def test_by_default_only_this_machine_can_reach_the_service() -> None:
    assert (ServeSettings().host, ServeSettings().port) == ("127.0.0.1", 8000)


def test_file_environment_and_flags_in_this_order(tmp_path: Path) -> None:
    file = tmp_path / "bertline.toml"
    file.write_text("[serve]\nport = 1\nmax_chars = 2\nmax_batch_texts = 3\n", encoding="utf-8")
    environ = {"BERTLINE_SERVE_MAX_CHARS": "20", "BERTLINE_SERVE_MAX_BATCH_TEXTS": "30"}
    settings = load_settings(ServeSettings, "serve", {"max_batch_texts": 300}, file=file, environ=environ)
    assert (settings.port, settings.max_chars, settings.max_batch_texts) == (1, 20, 300)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536), ("max_chars", 0), ("max_body_bytes", 10), ("host", ""), ("lanes", 0), ("max_wait_ms", 0),
        ("request_timeout_ms", 0), ("body_timeout_s", 0), ("idle_timeout_s", 0), ("worker_timeout_s", 0),
        ("max_request_tokens", 15), ("drain_s", -1), ("shutdown_timeout_s", 0),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_an_error_that_names_the_flag(name: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')} is "):
        load_settings(ServeSettings, "serve", {name: value}, file=tmp_path / "none", environ={})
