"""Kibana's saved objects for the log: a data view, three saved searches, and a dashboard of six Lens panels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]

VIEW, DASHBOARD = "bertline-logs", "bertline-requests"
COUNT = "___records___"
IS_REQUEST = 'event.dataset : "bertline.access"'
SLOW_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search."""

    id: str
    title: str
    query: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedPanel:
    """A chart over time."""

    id: str
    title: str
    query: str
    shape: Literal["bar_stacked", "line"]
    field: str | None = None  # None counts lines
    percentile: int | None = None
    by: str | None = None  # field for the break-down


SEARCHES = (
    Search(
        "bertline-errors", "bertline: errors", "log.level : (error or critical)",
        ("message", "error.type", "bertline.error.code", "http.request.id", "log.logger"),
    ),
    Search(
        "bertline-slow", "bertline: slow requests", f"bertline.slow : true or event.duration >= {SLOW_NS}",
        ("message", "event.duration", "bertline.time.queue_ms", "bertline.time.compute_ms", "bertline.texts",
         "bertline.model.name", "user.id"),
    ),
    Search(
        "bertline-refused", "bertline: refused requests", f"{IS_REQUEST} and http.response.status_code >= 400",
        ("message", "bertline.error.code", "user.id", "client.ip", "user_agent.original"),
    ),
)  # fmt: skip
PANELS = (
    SavedPanel("bertline-by-status", "Requests by status", IS_REQUEST, "bar_stacked", by="http.response.status_code"),
    SavedPanel("bertline-by-model", "Requests by model", IS_REQUEST, "bar_stacked", by="bertline.model.name"),
    SavedPanel("bertline-p95", "Duration, 95th percentile (ns)", IS_REQUEST, "line", "event.duration", 95, "url.path"),
    SavedPanel("bertline-queue", "Wait, 95th percentile (ms)", IS_REQUEST, "line", "bertline.time.queue_ms", 95),
    SavedPanel("bertline-codes", "Problems by code", IS_REQUEST, "bar_stacked", by="bertline.error.code"),
    SavedPanel("bertline-clients", "Requests by client", IS_REQUEST, "bar_stacked", by="user.id"),
)


def saved_objects(pattern: str) -> list[Json]:
    """All objects for Kibana's NDJSON import; ``pattern`` matches the data streams."""
    attributes = {"title": pattern, "name": "bertline logs", "timeFieldName": "@timestamp"}
    view = _object("index-pattern", VIEW, attributes, [], "8.0.0")
    return [view, *map(_search, SEARCHES), *map(_lens, PANELS), _dashboard()]


def _search(one: Search) -> Json:
    place = "kibanaSavedObjectMeta.searchSourceJSON.index"
    attributes = {
        "title": one.title,
        "columns": list(one.columns),
        "sort": [["@timestamp", "desc"]],
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({**_query(one.query), "indexRefName": place})},
    }
    return _object("search", one.id, attributes, [_reference(place, "index-pattern", VIEW)], "8.0.0")


def _lens(one: SavedPanel) -> Json:
    columns = {"time": _column("@timestamp", "date_histogram", "date", "interval", {"interval": "auto"})}
    if one.by is not None:
        order = {"orderBy": {"type": "column", "columnId": "value"}, "orderDirection": "desc"}
        columns["by"] = _column(
            one.by, "terms", "string", "ordinal", {"size": 10, **order, "otherBucket": True, "missingBucket": False}
        )
    if one.field is None:
        columns["value"] = _column(COUNT, "count", "number", "ratio", {})
    else:
        columns["value"] = _column(one.field, "percentile", "number", "ratio", {"percentile": one.percentile})
    layer = {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}}
    drawn: Json = {"layerId": "layer", "layerType": "data", "seriesType": one.shape, "xAccessor": "time"}
    drawn |= {"accessors": ["value"]} | ({"splitAccessor": "by"} if one.by else {})
    state = {
        "datasourceStates": {"formBased": {"layers": {"layer": layer}}},
        "visualization": {
            "layers": [drawn],
            "legend": {"isVisible": True, "position": "right"},
            "preferredSeriesType": one.shape,
            "valueLabels": "hide",
        },
        **_query(one.query, "filters"),
    }
    attributes = {"title": f"bertline: {one.title}", "visualizationType": "lnsXY", "state": state}
    references = [_reference("indexpattern-datasource-layer-layer", "index-pattern", VIEW)]
    return _object("lens", one.id, attributes, references, "8.9.0")


def _column(field: str, operation: str, kind: str, scale: str, params: Json) -> Json:
    return {
        "label": "Lines" if field == COUNT else field,
        "dataType": kind,
        "isBucketed": operation in ("date_histogram", "terms"),
        "operationType": operation,
        "scale": scale,
        "sourceField": field,
        "params": params,
    }


def _dashboard() -> Json:
    width, height = 24, 12  # two panels a row: Kibana's grid has 48 columns
    panels, references = [], []
    for place, one in enumerate(PANELS):
        number = str(place + 1)
        grid = {"x": width * (place % 2), "y": height * (place // 2), "w": width, "h": height, "i": number}
        name = f"panel_{number}"
        panels.append(
            {"type": "lens", "gridData": grid, "panelIndex": number, "embeddableConfig": {}, "panelRefName": name}
        )
        references.append(_reference(f"{number}:{name}", "lens", one.id))
    attributes = {
        "title": "bertline: requests",
        "description": "Requests to bertline by status, model, client and duration",
        "panelsJSON": json.dumps(panels),
        "optionsJSON": json.dumps({"useMargins": True, "syncColors": False, "hidePanelTitles": False}),
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(_query(""))},
    }
    return _object("dashboard", DASHBOARD, attributes, references, "8.9.0")


def _query(text: str, filters: str = "filter") -> Json:
    return {"query": {"language": "kuery", "query": text}, filters: []}


def _reference(name: str, kind: str, target: str) -> Json:
    return {"name": name, "type": kind, "id": target}


def _object(kind: str, number: str, attributes: Json, references: Sequence[Json], version: str) -> Json:
    """A saved object; the version is its type's, not Kibana's."""
    return {
        "type": kind,
        "id": number,
        "attributes": attributes,
        "references": list(references),
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": version,
    }
