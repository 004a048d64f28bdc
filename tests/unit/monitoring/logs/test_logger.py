"""What becomes of a line on its way out."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from pydantic import ValidationError

from bertline import __version__
from bertline.errors import BundleError
from bertline.monitoring.logs.logger import Logs, UnknownLogField, configure
from bertline.monitoring.logs.settings import LogSettings
from tests.unit.monitoring.log_lines import read

log = logging.getLogger("bertline.some.part")


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """Logging as a new process has it: servers and the identity provider of other tests make this one's their own."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    loggers = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    before = [(one, one.disabled, one.level, one.propagate) for one in loggers]
    handlers = root.handlers[:]
    logging.setLogRecordFactory(logging.LogRecord)
    root.handlers[:] = [one for one in handlers if type(one).__module__.startswith("_pytest")]
    for filtered in (root, *root.handlers, *loggers):
        filtered.filters.clear()
    for one in loggers:
        one.disabled, one.propagate = False, True
        one.setLevel(logging.NOTSET)
    yield
    logging.setLogRecordFactory(factory)
    root.handlers[:] = handlers
    for one, disabled, level, propagate in before:
        one.disabled, one.propagate = disabled, propagate
        one.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logs(stream: io.StringIO, context: Mapping[str, object] | None = None, **settings: object) -> Iterator[Logs]:
    with configure(LogSettings.model_validate(settings), stream, lambda: context or {}) as one:
        yield one


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def test_a_line_of_the_standard_library_is_ecs(out: io.StringIO) -> None:
    with logs(out, format="json"):
        log.warning("%s of %d", "one", 2)
    [line] = read(out.getvalue())
    assert line["message"] == "one of 2"
    assert (line["log.level"], line["log.logger"]) == ("warning", "bertline.some.part")
    assert (line["service.name"], line["service.version"]) == ("bertline", __version__)
    assert line["event.dataset"] == "bertline.log"


def test_the_level_holds_for_both_kinds_of_lines(out: io.StringIO) -> None:
    with logs(out, format="json", level="warning") as one:
        log.info("no")
        one.access("info", "no", {})
        log.error("yes")
        one.access("error", "yes", {})
    assert [line["message"] for line in read(out.getvalue())] == ["yes", "yes"]


def test_closing_gives_logging_back(out: io.StringIO) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    with logs(out, format="json"):
        assert len(root.handlers) == len(before[1]) + 1
    assert (root.level, list(root.handlers)) == before
    log.error("after")
    assert not out.getvalue()


def test_an_error_has_its_kind_and_path_and_not_its_message(out: io.StringIO) -> None:
    def fail() -> None:
        try:
            raise KeyError("a secret text")
        except KeyError as cause:
            raise RuntimeError("another secret") from cause

    with logs(out, format="json"):
        try:
            fail()
        except RuntimeError:
            log.exception("it failed")
    assert "secret" not in out.getvalue()
    [line] = read(out.getvalue())
    assert line["error.type"] == "builtins.RuntimeError"
    assert "in fail" in line["error.stack_trace"]
    assert "from builtins.KeyError" in line["error.stack_trace"]
    assert "error.message" not in line


def test_the_words_of_our_own_errors_stay(out: io.StringIO) -> None:
    with logs(out, format="json"):
        log.error("it failed", exc_info=BundleError("the bundle is truncated: copy it again"))
    assert read(out.getvalue())[0]["error.message"] == "the bundle is truncated: copy it again"


def test_other_libraries_messages_are_shortened(out: io.StringIO) -> None:
    with logs(out, format="json"):
        error = ValueError("a secret text")
        told = "Exception in callback f(b'a secret text')\nhandle: <Handle f(b'a secret text')>"
        logging.getLogger("asyncio").error(told, exc_info=(ValueError, error, None))
    assert "secret" not in out.getvalue()
    assert read(out.getvalue())[0]["message"] == "Exception in callback f"


def test_an_unknown_field_loses_its_value_and_is_named(out: io.StringIO) -> None:
    with logs(out, format="json") as one:
        log.info("a", extra={"text": "a secret text", "bertline.texts": 2})
        one.access("info", "b", {"text": "a secret text"})
    assert "secret" not in out.getvalue()
    first, second = read(out.getvalue())
    assert first["bertline.unknown_fields"] == second["bertline.unknown_fields"] == ["text"]
    assert first["bertline.texts"] == 2


def test_in_strict_mode_an_unknown_field_is_an_error(out: io.StringIO) -> None:
    told = "the log fields shade, text are not in monitoring/logs/table.py: add them"
    with logs(out, format="json", strict=True) as one:
        with pytest.raises(UnknownLogField, match=told):
            log.info("a", extra={"text": "a", "shade": 1})
        with pytest.raises(UnknownLogField, match=told):
            one.access("info", "a", {"text": "a", "shade": 1})
    assert not out.getvalue()


def test_uvicorns_terminal_message_is_not_a_field(out: io.StringIO) -> None:
    with logs(out, format="json", strict=True):
        logging.getLogger("uvicorn.error").info("up", extra={"color_message": "\x1b[1mup\x1b[0m"})
    assert read(out.getvalue())[0]["message"] == "up"


def test_of_other_libraries_only_warnings_are_logged(out: io.StringIO) -> None:
    with logs(out, format="json", level="debug"):
        logging.getLogger("httpx").info("GET https://a.org/?token=secret")
        logging.getLogger("httpcore.http11").debug("secret")
        logging.getLogger("uvicorn.access").info("GET /?secret")
        logging.getLogger("httpx").warning("beware")
        logging.getLogger("uvicorn.error").debug("open")
        log.debug("detail")
    assert [line["message"] for line in read(out.getvalue())] == ["beware", "open", "detail"]


def test_another_handlers_message_on_a_record_is_ignored(out: io.StringIO) -> None:
    with logs(out, format="json", strict=True) as one:
        record = logging.LogRecord("asyncio", logging.ERROR, "file.py", 7, "failed\na secret", (), None)
        record.exc_info = (ValueError, ValueError("a secret"), None)
        logging.Formatter("%(asctime)s %(message)s").format(record)
        one._handler.emit(record)
    assert read(out.getvalue())[0]["message"] == "failed"
    assert "secret" not in out.getvalue()


def test_a_line_that_cannot_be_formatted_is_replaced(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    with logs(out, format="json") as one:
        # The root's other handlers, which are pytest's, would raise.
        record = logging.LogRecord("bertline.some.part", logging.INFO, "file.py", 7, "%d", ("a secret text",), None)
        one._handler.emit(record)
    assert "secret" not in out.getvalue() + "".join(capsys.readouterr())
    [line] = read(out.getvalue())
    assert line["message"] == "a line of bertline.some.part at file.py:7 failed with builtins.TypeError"


def test_a_value_that_is_not_json_shows_only_its_type(out: io.StringIO) -> None:
    with logs(out, format="json") as one:
        one.access("info", "a", {"url.path": ValueError("a secret text")})
    assert json.loads(out.getvalue())["url.path"] == "ValueError"


def test_a_line_of_a_request_names_it(out: io.StringIO) -> None:
    with logs(out, {"http.request.id": "17"}, format="json"):
        log.info("a")
    assert read(out.getvalue())[0]["http.request.id"] == "17"


def test_warnings_are_lines(out: io.StringIO) -> None:
    with logs(out, format="json"), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("beware", UserWarning, stacklevel=1)
    [line] = read(out.getvalue())
    assert line["log.logger"] == "py.warnings"
    assert "UserWarning: beware" in line["message"]


def test_lines_are_ascii_and_cannot_be_broken(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # what pytest captures is sent on as UTF-8
    with logs(out, format="json"):
        log.info("é\n{}\ud800")
    assert out.getvalue().isascii()
    assert read(out.getvalue())[0]["message"] == "é\n{}\ud800"


@pytest.mark.parametrize(
    ("stream", "chosen", "as_json"),
    [
        (io.StringIO, "auto", True),
        (Terminal, "auto", False),
        (Terminal, "json", True),
        (io.StringIO, "console", False),
    ],
)
def test_people_read_terminals_and_machines_the_rest(stream: type[io.StringIO], chosen: str, as_json: bool) -> None:
    one = stream()
    with logs(one, format=chosen):
        log.info("a")
    assert one.getvalue().startswith("{") is as_json


@pytest.mark.parametrize(("stream", "no_color", "coloured"), [
    (Terminal, None, True), (Terminal, "1", False), (Terminal, "", True), (io.StringIO, None, False),
])  # fmt: skip
def test_colours_respect_the_terminal_and_no_color(
    stream: type[io.StringIO], no_color: str | None, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    one = stream()
    with logs(one, format="console"):
        log.info("a")
    assert ("\x1b[" in one.getvalue()) is coloured


def test_the_standard_error_is_where_lines_go_by_default() -> None:
    with configure(LogSettings()) as one:
        assert one._writer._stream is sys.stderr


@pytest.mark.parametrize(
    "wrong", [{"format": "xml"}, {"sample_texts": 1.5}, {"redact": ["name"]}, {"slow_ms": 0}, {"levle": "info"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LogSettings.model_validate(wrong)


def test_by_default_no_text_is_logged() -> None:
    assert LogSettings().sample_texts == 0
