"""Every field of every log line in one table, in the words of the Elastic Common Schema.

Names that ECS has are used with its type (https://www.elastic.co/docs/reference/ecs); ours lie below ``bertline.``.
The index template, the Kibana objects and the page of the guide are made from this table, and a line that has a field
that is not in it loses that field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ECS_VERSION = "9.3.0"
OWN = "bertline."

Kind = Literal["boolean", "constant_keyword", "date", "float", "ip", "keyword", "long", "match_only_text", "wildcard"]
When = Literal["line", "request", "model", "error", "sample", "loss", "ingest"]

WHEN: Mapping[When, str] = {
    "line": "every line",
    "request": "the line of a request, where it is known",
    "model": "the line of a request that a model answered",
    "error": "a line about an error",
    "sample": "the line of a request whose texts are logged, which is off by default",
    "loss": "a line about lines or fields that were left out",
    "ingest": "added when Elasticsearch takes the line in",
}


@dataclass(frozen=True, slots=True)
class LogField:
    """One row of the table.

    Attributes:
        name: with dots, as it is written.
        type: as Elasticsearch maps it.
        description: one sentence.
        when: which lines have it.
        several: its value is a list.
    """

    name: str
    type: Kind
    description: str
    when: When
    several: bool = False


TABLE: tuple[LogField, ...] = (
    LogField("@timestamp", "date", "When it happened, or when the answer ended.", "line"),
    LogField("log.level", "keyword", "debug, info, warning, error or critical.", "line"),
    LogField("message", "match_only_text", "What happened, for people.", "line"),
    LogField("ecs.version", "keyword", "The schema that the names are from.", "line"),
    LogField("event.dataset", "keyword", "bertline.access for the line of a request, else bertline.log.", "line"),
    LogField("log.logger", "keyword", "The part of the program that speaks.", "line"),
    LogField("process.pid", "long", "Of the process that listens.", "line"),
    LogField("service.name", "keyword", "bertline.", "line"),
    LogField("service.version", "keyword", "Of bertline.", "line"),
    LogField("client.ip", "ip", "Where the request came from, as the server sees it.", "request"),
    LogField("event.action", "keyword", "The operation that the route stands for.", "request"),
    LogField("event.category", "keyword", "web.", "request", several=True),
    LogField("event.duration", "long", "Nanoseconds from the request's head to the end of its answer.", "request"),
    LogField("event.kind", "keyword", "event.", "request"),
    LogField("event.outcome", "keyword", "success below 400, else failure; unknown if it never ended.", "request"),
    LogField("event.type", "keyword", "access.", "request", several=True),
    LogField("http.request.body.bytes", "long", "Bytes of the body that were read.", "request"),
    LogField("http.request.id", "keyword", "X-Request-Id; also on all lines that the request caused.", "request"),
    LogField("http.request.method", "keyword", "GET, POST and so on; other for what HTTP lacks.", "request"),
    LogField("http.response.body.bytes", "long", "Bytes of the answer's body.", "request"),
    LogField("http.response.status_code", "long", "Of the answer; absent when none was begun.", "request"),
    LogField("span.id", "keyword", "Of the request's span.", "request"),
    LogField("trace.id", "keyword", "Of the trace that the request is part of.", "request"),
    LogField("transaction.id", "keyword", "The same span, under the name that Elastic APM looks for.", "request"),
    LogField("url.path", "wildcard", "Template of the route, never the path as sent.", "request"),
    LogField("user.id", "keyword", "Name of the client that a credential stood for.", "request"),
    LogField("user_agent.original", "keyword", "The first 256 characters of User-Agent.", "request"),
    LogField("bertline.client.kind", "keyword", "What the client showed: token, key or anonymous.", "request"),
    LogField("bertline.client.scopes", "keyword", "What the client may do.", "request", several=True),
    LogField("bertline.dialect", "keyword", "Whose API was spoken.", "request"),
    LogField("bertline.ended", "keyword", "client_gone, cut_off or failed, where the answer did not end.", "request"),
    LogField("bertline.error.code", "keyword", "Code of the problem that the answer names.", "request"),
    LogField("bertline.slow", "boolean", "The request took longer than slow_ms.", "request"),
    LogField("bertline.model.name", "keyword", "Model that answered.", "model"),
    LogField("bertline.model.version", "keyword", "Version of the model that answered.", "model"),
    LogField("bertline.texts", "long", "Texts of the request.", "model"),
    LogField("bertline.time.compute_ms", "float", "Milliseconds in which the batch of its slowest text ran.", "model"),
    LogField("bertline.time.queue_ms", "float", "Milliseconds for which its slowest text waited.", "model"),
    LogField("bertline.time.tokenise_ms", "float", "Milliseconds in which its texts were tokenised.", "model"),
    LogField("bertline.tokens.cut", "long", "Tokens that were not read, of texts too long.", "model"),
    LogField("bertline.tokens.read", "long", "Tokens that were read.", "model"),
    LogField("error.message", "match_only_text", "Only of errors whose words are our own.", "error"),
    LogField("error.stack_trace", "wildcard", "Kinds of errors and lines of code; never their messages.", "error"),
    LogField("error.type", "keyword", "Kind of the error.", "error"),
    LogField("bertline.sampled.texts", "match_only_text", "The first texts, redacted and cut.", "sample", several=True),
    LogField("bertline.dropped_lines", "long", "Lines that could not be written.", "loss"),
    LogField("bertline.unknown_fields", "keyword", "Fields that are not in this table.", "loss", True),
    LogField("event.ingested", "date", "When Elasticsearch took the line in.", "ingest"),
    LogField("data_stream.dataset", "constant_keyword", "bertline.", "ingest"),
    LogField("data_stream.namespace", "constant_keyword", "default, or what you call it.", "ingest"),
    LogField("data_stream.type", "constant_keyword", "logs.", "ingest"),
)  # fmt: skip

FIELDS: Mapping[str, LogField] = {one.name: one for one in TABLE}
LOGGED = frozenset(one.name for one in TABLE if one.when != "ingest")


def markdown() -> str:
    """The table as the guide shows it.

    >>> markdown().splitlines()[2]
    '| `@timestamp` | date | every line | When it happened, or when the answer ended. |'
    """
    rows = ["| field | type | on | what |", "| --- | --- | --- | --- |"]
    for one in TABLE:
        kind = f"{one.type}, several" if one.several else one.type
        rows.append(f"| `{one.name}` | {kind} | {WHEN[one.when]} | {one.description} |")
    return "\n".join(rows) + "\n"
