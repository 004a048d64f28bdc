"""The command as the first process of a container."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.cli import container, main


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ran(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """The arguments of the command that was run."""
    monkeypatch.setattr(sys, "argv", ["bertline", *arguments])
    monkeypatch.setattr(main, "main", lambda: None)
    container.main()
    return sys.argv[1:]


def test_sigterm_ends_it_before_there_is_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    ran(monkeypatch, "--help")
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143


def test_serve_alone_serves_the_model_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    monkeypatch.setattr(container, "MODELS", tmp_path)
    assert ran(monkeypatch, "serve") == ["serve", str(tmp_path / "reviews")]
    assert ran(monkeypatch, "serve", "/models/other") == ["serve", "/models/other"]
    assert ran(monkeypatch, "predict", "/models/other", "text") == ["predict", "/models/other", "text"]
