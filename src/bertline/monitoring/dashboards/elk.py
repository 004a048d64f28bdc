"""Files for Filebeat, Elasticsearch and Kibana (9.x), which ingest and show the log, from the table of fields.

Kibana's objects have the format of 8.9, the oldest that 9.x can import. The log lines are JSON, so the pipeline does
not parse them; it only expands dots in names, which some shippers leave.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from bertline.monitoring.dashboards.kibana import saved_objects
from bertline.monitoring.logs.table import ECS_VERSION, TABLE, LogField

DATA_STREAM, PATTERN = "logs-bertline-default", "logs-bertline-*"
POLICY = PIPELINE = TEMPLATE = "logs-bertline"
ROLLOVER_DAYS, RETENTION_DAYS = 7, 30
LONGEST_KEYWORD = 1024  # ECS's limit; Lucene would reject a line with a term of more than 32,766 bytes
Json = dict[str, Any]


def lifecycle_policy() -> Json:
    """For ``PUT _ilm/policy/logs-bertline``: a new index each week or 25 GB, deleted 30 days later."""
    rollover = {"max_age": f"{ROLLOVER_DAYS}d", "max_primary_shard_size": "25gb"}
    phases = {
        "hot": {"actions": {"rollover": rollover}},
        "delete": {"min_age": f"{RETENTION_DAYS}d", "actions": {"delete": {}}},
    }
    return {"policy": {"phases": phases}}


def ingest_pipeline(*, keep_debug: bool = True) -> Json:
    """For ``PUT _ingest/pipeline/logs-bertline``, with or without lines of level debug."""
    steps: list[Json] = [
        {"dot_expander": {"field": "*", "override": True, "description": "expand names with dots to objects"}},
        {"set": {"field": "event.ingested", "value": "{{{_ingest.timestamp}}}"}},
    ]
    if not keep_debug:
        steps.append({"drop": {"if": "ctx.log?.level == 'debug'"}})
    failed = [
        {"set": {"field": "event.kind", "value": "pipeline_error"}},
        {"set": {"field": "error.message", "value": "{{{_ingest.on_failure_message}}}"}},
    ]
    return {
        "description": "Log lines of bertline, in ECS JSON",
        "processors": steps,
        "on_failure": failed,
    }


def index_template() -> Json:
    """For ``PUT _index_template/logs-bertline``: maps only the fields of the table."""
    settings = {"index.lifecycle.name": POLICY, "index.default_pipeline": PIPELINE, "index.codec": "best_compression"}
    return {
        "index_patterns": [PATTERN],
        "data_stream": {},
        "priority": 500,  # above Elasticsearch's own template for logs-*-*, which has 100
        "template": {"settings": settings, "mappings": {"dynamic": False, "properties": properties(TABLE)}},
        "_meta": {"description": "Log lines of bertline", "ecs_version": ECS_VERSION},
    }


def properties(fields: Iterable[LogField]) -> Json:
    """The mapping of these fields, nested by the dots in their names."""
    mapping: Json = {}
    for field in fields:
        *parents, name = field.name.split(".")
        place = mapping
        for parent in parents:
            place = place.setdefault(parent, {}).setdefault("properties", {})
        place[name] = _mapped(field)
    return mapping


def _mapped(field: LogField) -> Json:
    if field.type == "keyword":
        return {"type": "keyword", "ignore_above": LONGEST_KEYWORD}
    if field.type == "constant_keyword" and field.name != "data_stream.namespace":
        return {"type": field.type, "value": {"dataset": "bertline", "type": "logs"}[field.name.rpartition(".")[2]]}
    return {"type": field.type}


def files() -> Mapping[str, str]:
    """Contents by file name."""
    objects = {
        "ilm-policy.json": lifecycle_policy(),
        "ingest-pipeline.json": ingest_pipeline(),
        "index-template.json": index_template(),
    }
    contents = {name: json.dumps(content, indent=2) + "\n" for name, content in objects.items()}
    contents["kibana.ndjson"] = "".join(f"{json.dumps(one)}\n" for one in saved_objects(PATTERN))
    contents["filebeat.yml"] = (
        resources.files("bertline.monitoring").joinpath("filebeat.yml").read_text(encoding="utf-8")
    )
    return contents
