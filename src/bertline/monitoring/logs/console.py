"""Log lines for people: aligned, with the most useful fields of a request, in colours on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

RESET, DIM, BOLD, RED, GREEN, YELLOW, CYAN = (f"\x1b[{code}m" for code in (0, 2, 1, 31, 32, 33, 36))
LEVELS = {"debug": DIM, "info": GREEN, "warning": YELLOW, "error": RED, "critical": RED + BOLD}
MESSAGE_WIDTH = 34

# The fields that are shown, with their short names, in this order.
SHOWN: Mapping[str, str] = {
    "bertline.error.code": "error",
    "bertline.ended": "ended",
    "bertline.model.name": "model",
    "bertline.texts": "texts",
    "bertline.tokens.read": "tokens",
    "bertline.tokens.cut": "cut",
    "bertline.time.queue_ms": "queue_ms",
    "bertline.time.compute_ms": "compute_ms",
    "user.id": "client",
    "client.ip": "from",
    "bertline.dropped_lines": "dropped_lines",
    "bertline.unknown_fields": "unknown_fields",
    "bertline.sampled.texts": "sampled",
    "http.request.id": "id",
}


def console_line(colours: bool) -> Callable[[Mapping[str, Any]], str]:
    """A renderer of lines, optionally with ANSI colours."""

    def paint(style: str, text: str) -> str:
        return f"{style}{text}{RESET}" if colours and style and text else text

    def render(fields: Mapping[str, Any]) -> str:
        level = fields["log.level"]
        message, *below = map(_escaped, str(fields["message"]).split("\n"))
        head = [
            paint(DIM, _clock(fields["@timestamp"])),
            paint(LEVELS.get(level, ""), f"{level:<8}"),
            paint(BOLD, f"{message:<{MESSAGE_WIDTH}}"),
        ]
        duration_ns = fields.get("event.duration")
        head.append(f"{duration_ns / 1e6:8.1f} ms" if duration_ns is not None else "")
        pairs = [f"{paint(CYAN, short)}={_value(fields[name])}" for name, short in SHOWN.items() if fields.get(name)]
        if duration_ns is None:
            pairs.append(paint(DIM, f"[{fields.get('log.logger', '')}]"))
        line = " ".join(one for one in (*head, *pairs) if one).rstrip()
        below += [str(fields[name]) for name in ("error.message", "error.stack_trace") if name in fields]
        return "\n".join([line, *below])

    return render


def _clock(timestamp: str) -> str:
    """The server's local time, to the millisecond."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _escaped(text: str) -> str:
    """The text with control characters escaped, so that nobody can inject lines or colours."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_value(one) for one in value)
    text = f"{value:.1f}" if isinstance(value, float) else _escaped(str(value))
    return f'"{text}"' if " " in text else text
