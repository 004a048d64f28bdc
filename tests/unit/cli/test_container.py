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


def test_serve_alone_serves_what_the_environment_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    monkeypatch.setattr(container, "MODELS", tmp_path)
    monkeypatch.setenv("BERTLINE_MODEL", "s3://models/reviews")
    assert ran(monkeypatch, "serve") == ["serve", "s3://models/reviews"]
    monkeypatch.setenv("BERTLINE_MODEL", "")
    assert ran(monkeypatch, "serve") == ["serve", str(tmp_path / "reviews")]


def test_serve_alone_without_any_model_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(container, "MODELS", tmp_path)
    monkeypatch.delenv("BERTLINE_MODEL", raising=False)
    with pytest.raises(SystemExit) as ended:
        ran(monkeypatch, "serve")
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"error: there is no model in {tmp_path}: set BERTLINE_MODEL to an address, such as "
        f"s3://models/reviews@sha256:…, or mount a bundle below {tmp_path}\n"
    )
