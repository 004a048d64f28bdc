"""The table of all log fields, named as in the Elastic Common Schema.

Names of ECS have its types (https://www.elastic.co/docs/reference/ecs); our own begin with ``bertline.``. The index
template, the Kibana objects and the page of the guide are generated from this table, and a field that is not in it is
dropped from a line.
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
    "request": "requests, if known",
    "model": "requests that a model answered",
    "error": "errors",
    "sample": "requests whose texts are logged (off by default)",
    "loss": "dropped lines or fields",
    "ingest": "added by Elasticsearch",
}


@dataclass(frozen=True, slots=True)
class LogField:
    """One row of the table."""

    name: str
    type: Kind  # in Elasticsearch
    description: str
    when: When  # the lines that have it
    several: bool = False  # the value is a list


TABLE: tuple[LogField, ...] = (
    LogField("@timestamp", "date", "Time of the event, or of the end of the response.", "line"),
    LogField("log.level", "keyword", "debug, info, warning, error or critical.", "line"),
    LogField("message", "match_only_text", "The event, for people.", "line"),
    LogField("ecs.version", "keyword", "Version of the Elastic Common Schema.", "line"),
    LogField("event.dataset", "keyword", "bertline.access for requests, else bertline.log.", "line"),
    LogField("log.logger", "keyword", "Name of the logger.", "line"),
    LogField("process.pid", "long", "Process id of the server.", "line"),
    LogField("service.name", "keyword", "bertline.", "line"),
    LogField("service.version", "keyword", "Version of bertline.", "line"),
    LogField("client.ip", "ip", "Address of the client, behind trusted proxies too.", "request"),
    LogField("event.action", "keyword", "Operation of the route.", "request"),
    LogField("event.category", "keyword", "web.", "request", several=True),
    LogField("event.duration", "long", "Nanoseconds from the request's head to the end of the response.", "request"),
    LogField("event.kind", "keyword", "event.", "request"),
    LogField("event.outcome", "keyword", "success below 400, else failure; unknown without an end.", "request"),
    LogField("event.type", "keyword", "access.", "request", several=True),
    LogField("http.request.body.bytes", "long", "Bytes read of the request's body.", "request"),
    LogField("http.request.id", "keyword", "X-Request-Id; also on all other lines of the request.", "request"),
    LogField("http.request.method", "keyword", "GET, POST and so on; other for unknown methods.", "request"),
    LogField("http.response.body.bytes", "long", "Bytes of the response's body.", "request"),
    LogField("http.response.status_code", "long", "Status of the response; absent if none was started.", "request"),
    LogField("span.id", "keyword", "Id of the request's span.", "request"),
    LogField("trace.id", "keyword", "Id of the request's trace.", "request"),
    LogField("transaction.id", "keyword", "Id of the same span, for Elastic APM.", "request"),
    LogField("url.path", "wildcard", "Template of the route, never the raw path.", "request"),
    LogField("user.id", "keyword", "Name of the authenticated client.", "request"),
    LogField("user_agent.original", "keyword", "The first 256 characters of User-Agent.", "request"),
    LogField("bertline.client.kind", "keyword", "Credential of the client: token, key or anonymous.", "request"),
    LogField("bertline.client.scopes", "keyword", "Scopes of the client.", "request", several=True),
    LogField("bertline.dialect", "keyword", "Dialect of the API: own, openai, hf, tei and so on.", "request"),
    LogField("bertline.ended", "keyword", "client_gone, cut_off or failed, if the response did not end.", "request"),
    LogField("bertline.error.code", "keyword", "Error code of the response.", "request"),
    LogField("bertline.slow", "boolean", "The request took longer than slow_ms.", "request"),
    LogField("bertline.model.name", "keyword", "Model that answered.", "model"),
    LogField("bertline.model.version", "keyword", "Version of the model that answered.", "model"),
    LogField("bertline.texts", "long", "Texts of the request.", "model"),
    LogField("bertline.time.compute_ms", "float", "Milliseconds to compute the batch of its slowest text.", "model"),
    LogField("bertline.time.queue_ms", "float", "Milliseconds that its slowest text waited.", "model"),
    LogField("bertline.time.tokenise_ms", "float", "Milliseconds to tokenise its texts.", "model"),
    LogField("bertline.tokens.cut", "long", "Tokens cut off texts that were too long.", "model"),
    LogField("bertline.tokens.read", "long", "Tokens read.", "model"),
    LogField("error.message", "match_only_text", "Message of bertline's own errors only.", "error"),
    LogField("error.stack_trace", "wildcard", "Classes of errors and lines of code, without messages.", "error"),
    LogField("error.type", "keyword", "Class of the error.", "error"),
    LogField("bertline.sampled.texts", "match_only_text", "First texts, redacted and cut.", "sample", several=True),
    LogField("bertline.dropped_lines", "long", "Lines that could not be written.", "loss"),
    LogField("bertline.unknown_fields", "keyword", "Fields that are not in this table.", "loss", True),
    LogField("event.ingested", "date", "Time of ingestion by Elasticsearch.", "ingest"),
    LogField("data_stream.dataset", "constant_keyword", "bertline.", "ingest"),
    LogField("data_stream.namespace", "constant_keyword", "default, or your own.", "ingest"),
    LogField("data_stream.type", "constant_keyword", "logs.", "ingest"),
)  # fmt: skip

FIELDS: Mapping[str, LogField] = {one.name: one for one in TABLE}
LOGGED = frozenset(one.name for one in TABLE if one.when != "ingest")


def markdown() -> str:
    """The table as the guide shows it.

    >>> markdown().splitlines()[2]
    '| `@timestamp` | date | every line | Time of the event, or of the end of the response. |'
    """
    rows = ["| field | type | lines | description |", "| --- | --- | --- | --- |"]
    for one in TABLE:
        kind = f"{one.type}, several" if one.several else one.type
        rows.append(f"| `{one.name}` | {kind} | {WHEN[one.when]} | {one.description} |")
    return "\n".join(rows) + "\n"
