"""The log: one line per event, as ECS JSON for machines or aligned for people, through structlog.

All users of the standard library's ``logging`` (uvicorn, asyncio, warnings, this package) pass the same chain: an
error's message is replaced by its stack trace, unknown fields are dropped, and a separate thread writes the line.
(ecs-logging's formatter sorts and nests the fields: 96 µs a line instead of 7 for names with dots, which are ECS too.)
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Self, TextIO

from pydantic_core import PydanticSerializationError, to_json
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import Processor

from bertline import __version__
from bertline.errors import BertlineError
from bertline.monitoring.logs.console import console_line
from bertline.monitoring.logs.error_path import kind_of, path_of
from bertline.monitoring.logs.settings import LogSettings
from bertline.monitoring.logs.table import ECS_VERSION, LOGGED
from bertline.monitoring.logs.writer import LogWriter

Fields = MutableMapping[str, Any]
Context = Callable[[], Mapping[str, object]]

ACCESS, OTHER = "bertline.access", "bertline.log"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class UnknownLogField(BertlineError):
    """A line has a field that is not in the table."""


class Logs:
    """The log. A context: leaving it closes the log.

    Args:
        settings: of the log.
        stream: receives the lines.
        context: returns the fields of the current request.
    """

    def __init__(self, settings: LogSettings, stream: TextIO, context: Context = dict) -> None:
        self.settings, self._context = settings, context
        self.level = _LEVELS[settings.level]
        as_json = settings.format == "json" or (settings.format == "auto" and not stream.isatty())
        colours = stream.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
        self._render = json_line if as_json else console_line(colours)
        self._writer = LogWriter(stream, self._lost_line)
        chain: list[Processor] = [self._in_request, without_messages, self._known, self._rendered]
        self._handler = _Handler(self._writer.put, strict=settings.strict)
        self._handler.setFormatter(
            ProcessorFormatter(
                foreign_pre_chain=[ExtraAdder(), _of_record],
                processors=[ProcessorFormatter.remove_processors_meta, *chain],
            )
        )

    @property
    def dropped(self) -> int:
        """Number of lines that were not written."""
        return self._writer.dropped

    def access(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        """Log the line of a request.

        Raises:
            UnknownLogField: a field is not in the table, and the settings are strict.
        """
        if _LEVELS[level] >= self.level:
            head = {"@timestamp": _now(), "log.level": level, "message": message}
            self._writer.put(self._render({**head, **_SAME_OF_REQUESTS, **self._known(None, level, fields)}))

    def open(self) -> Self:
        """Handle the standard library's logging and warnings."""
        root = logging.getLogger()
        self._before = root.level
        root.addHandler(self._handler)
        root.setLevel(self.level)
        logging.captureWarnings(True)
        return self

    def close(self) -> None:
        """Write pending lines, and restore logging."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._before)
        logging.captureWarnings(False)
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _in_request(self, logger: object, level: str, fields: Fields) -> Fields:
        for name, value in self._context().items():
            fields.setdefault(name, value)
        return fields

    def _known(self, logger: object, level: str, fields: Mapping[str, Any]) -> Fields:
        """Drop the fields that are not in the table, and log their names."""
        if fields.keys() <= _KNOWN:
            return fields  # type: ignore[return-value]
        names = sorted(fields.keys() - _KNOWN)
        if self.settings.strict:
            raise UnknownLogField(f"the log fields {', '.join(names)} are not in monitoring/logs/table.py: add them")
        return {name: fields[name] for name in fields if name in _KNOWN} | {"bertline.unknown_fields": names}

    def _rendered(self, logger: object, level: str, fields: Fields) -> str:
        message = str(fields.pop("event"))
        head = {"@timestamp": _now(), "log.level": level, "message": message, **_SAME}
        return self._render({**head, **fields})

    def _lost_line(self, lines: int) -> str:
        fields = {"event": f"{lines} lines of the log could not be written", "bertline.dropped_lines": lines}
        return self._rendered(None, "warning", {**fields, "log.logger": __name__, "event.dataset": OTHER})


def configure(settings: LogSettings, stream: TextIO | None = None, context: Context = dict) -> Logs:
    """Open the log, by default on the standard error; close it with ``close`` or by leaving the context."""
    return Logs(settings, stream or sys.stderr, context).open()


def without_messages(logger: object, level: str, fields: Fields) -> Fields:
    """Replace an error by its class and stack trace.

    Only a ``BertlineError`` keeps its message, which never contains texts.
    """
    raised = fields.pop("exc_info", None)
    fields.pop("stack_info", None)
    if not raised:
        return fields
    error = raised if isinstance(raised, BaseException) else raised[1] if isinstance(raised, tuple) else sys.exception()
    if error is None:
        return fields
    fields["error.type"], fields["error.stack_trace"] = kind_of(error), path_of(error)
    if isinstance(error, BertlineError):
        fields["error.message"] = str(error)
    if not str(fields.get("log.logger", "")).startswith("bertline"):
        # asyncio appends the error and the arguments of the failed call.
        fields["event"] = str(fields["event"]).partition("\n")[0].partition("(")[0].rstrip()
    return fields


def json_line(fields: Mapping[str, Any]) -> str:
    """One ECS object: @timestamp, log.level and message first, names with dots, plain ASCII."""
    try:
        return to_json(fields, ensure_ascii=True, fallback=_kind).decode()
    except PydanticSerializationError:  # a lone surrogate
        return _ENCODE(fields)


def _of_record(logger: object, level: str, fields: Fields) -> Fields:
    """Add the logger's name, and drop fields that other handlers and uvicorn have added to the record."""
    record: logging.LogRecord = fields["_record"]
    for name in ("message", "asctime", "color_message"):
        fields.pop(name, None)
    fields["log.logger"], fields["event.dataset"] = record.name, OTHER
    return fields


def _now() -> str:
    second, part = divmod(int(1000 * time.time()), 1000)
    return f"{_second(second)}.{part:03d}Z"


@lru_cache(8)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]


def _ours(record: logging.LogRecord) -> bool:
    """Of other libraries only warnings: HTTP clients log every URL. Uvicorn's access lines have raw query strings."""
    ours = record.name.startswith(("bertline", "uvicorn")) and record.name != "uvicorn.access"
    return ours or record.levelno >= logging.WARNING


class _Handler(logging.Handler):
    """Renders records of the standard library; a record that fails to render is replaced by an error line."""

    def __init__(self, put: Callable[[str], None], *, strict: bool) -> None:
        super().__init__()
        self._put, self._strict = put, strict
        self.addFilter(_ours)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line."""
        try:
            line = self.format(record)
        except Exception as error:
            if self._strict:
                raise
            message = f"a line of {record.name} at {record.filename}:{record.lineno} failed with {kind_of(error)}"
            line = self.format(logging.LogRecord(__name__, logging.ERROR, "", 0, message, (), None))
        self._put(line)


def _kind(value: object) -> str:
    return type(value).__qualname__


_ENCODE = json.JSONEncoder(separators=(",", ":"), default=_kind).encode
_KNOWN = LOGGED | {"event"}
_SAME = {
    "ecs.version": ECS_VERSION,
    "service.name": "bertline",
    "service.version": __version__,
    "process.pid": os.getpid(),
}
_SAME_OF_REQUESTS = {**_SAME, "log.logger": ACCESS, "event.dataset": ACCESS}
