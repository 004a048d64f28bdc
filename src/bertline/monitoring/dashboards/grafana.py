"""Dashboards for Grafana 12 and 13 in the classic model, and files for their provisioning.

https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bertline.monitoring.dashboards.panel import Dashboard, Panel
from bertline.monitoring.dashboards.panels import DASHBOARDS
from bertline.monitoring.dashboards.yaml_files import yaml_of

COLUMNS = 24
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 7}
SCHEMA = 41  # Grafana 12.0's; later versions migrate it
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SOURCE_UID = "bertline-prometheus"
FOLDER = "/var/lib/grafana/dashboards/bertline"


def files(prometheus_url: str = "http://localhost:9090") -> dict[str, str]:
    """The files by path; ``prometheus_url`` is the URL under which Grafana reaches Prometheus."""
    contents = {
        f"grafana/dashboards/{one.uid}.json": json.dumps(dashboard(one), indent=2, ensure_ascii=False) + "\n"
        for one in DASHBOARDS
    }
    sources = [
        {
            "name": "Prometheus (bertline)", "uid": SOURCE_UID, "type": "prometheus", "access": "proxy",
            "url": prometheus_url, "isDefault": False, "jsonData": {"httpMethod": "POST", "timeInterval": "15s"},
        }
    ]  # fmt: skip
    providers = [
        {
            "name": "bertline", "folder": "bertline", "type": "file", "allowUiUpdates": False,
            "options": {"path": FOLDER},
        }
    ]  # fmt: skip
    contents["grafana/provisioning/datasources/bertline.yml"] = yaml_of(
        {"apiVersion": 1, "datasources": sources}, comment="Put below /etc/grafana/provisioning/datasources"
    )
    contents["grafana/provisioning/dashboards/bertline.yml"] = yaml_of(
        {"apiVersion": 1, "providers": providers},
        comment=f"Put below /etc/grafana/provisioning/dashboards, and the dashboards in {FOLDER}",
    )
    return contents


def dashboard(one: Dashboard) -> dict[str, Any]:
    """A dashboard in Grafana's model."""
    return {
        "uid": one.uid,
        "title": one.title,
        "description": one.description,
        "tags": ["bertline"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": SCHEMA,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables(one)},
        "annotations": {"list": [_alerts_as_annotations()]},
        "links": [_link_to_the_others()],
        "panels": _laid_out(one),
    }


def _laid_out(one: Dashboard) -> list[dict[str, Any]]:
    """Panels with their positions: a heading per row, then lines of panels of equal height."""
    placed: list[dict[str, Any]] = []
    top = 0
    for heading, panels in one.rows:
        row = {"type": "row", "title": heading, "collapsed": False, "panels": []}
        placed.append({"id": len(placed) + 1, "gridPos": _at(0, top, COLUMNS, 1), **row})
        top += 1
        for line in _lines(panels):
            left, tall = 0, max(HEIGHTS[panel.kind] for panel in line)
            for panel in line:
                placed.append({"id": len(placed) + 1, "gridPos": _at(left, top, panel.width, tall), **_panel(panel)})
                left += panel.width
            top += tall
    return placed


def _lines(panels: Sequence[Panel]) -> list[list[Panel]]:
    """The panels in lines that fit the width."""
    lines: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(one.width for one in lines[-1]) + panel.width > COLUMNS:
            lines.append([])
        lines[-1].append(panel)
    return lines


def _at(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"h": height, "w": width, "x": left, "y": top}


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": {}, "thresholds": _thresholds(panel.limit)}
    defaults |= {name: value for name, value in (("min", panel.least), ("max", panel.most)) if value is not None}
    if panel.kind == "timeseries":
        defaults["custom"] = _drawn(panel)
        defaults["color"] = {"mode": "palette-classic"}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [_target(place, panel, *query) for place, query in enumerate(panel.queries)],
        **({"transformations": _columns()} if panel.kind == "table" else {}),
    }


def _drawn(panel: Panel) -> dict[str, Any]:
    """Lines or stacked areas, in Grafana's own colours, which suit both of its themes."""
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if panel.stacked else 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if panel.limit is None else "dashed"},
    }


def _thresholds(limit: float | None) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "text", "value": None}]
    return {"mode": "absolute", "steps": steps if limit is None else [*steps, {"color": "red", "value": limit}]}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduced, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _target(place: int, panel: Panel, expression: str, legend: str) -> dict[str, Any]:
    once = panel.kind == "table"
    return {
        "refId": chr(ord("A") + place),
        "datasource": SOURCE,
        "expr": expression,
        "legendFormat": legend,
        "range": not once,
        "instant": once,
        "format": "table" if once else "time_series",
    }


def _columns() -> list[dict[str, Any]]:
    hidden = {"Time": True, "Value": True}
    return [{"id": "organize", "options": {"excludeByName": hidden, "indexByName": {}, "renameByName": {}}}]


def _variables(one: Dashboard) -> list[dict[str, Any]]:
    variables = [
        {
            "type": "datasource",
            "name": "datasource",
            "label": "Prometheus",
            "query": "prometheus",
            "regex": "",
            "hide": 0,
        },
        _of_labels("job", "Job", "label_values(bertline_ready, job)"),
    ]
    if one.by_model:
        variables.append(_of_labels("model", "Model", 'label_values(bertline_model_info{job=~"$job"}, model)'))
    return variables


def _of_labels(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "hide": 0,
    }


def _alerts_as_annotations() -> dict[str, Any]:
    expression = 'ALERTS{alertname=~"Bertline.+",alertstate="firing"}'
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": expression,
        "titleFormat": "{{alertname}}",
    }


def _link_to_the_others() -> dict[str, Any]:
    return {
        "title": "bertline",
        "type": "dashboards",
        "tags": ["bertline"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def expressions() -> list[tuple[str, str, str]]:
    """Every expression: dashboard, panel, expression."""
    return [
        (one.title, panel.title, expression)
        for one in DASHBOARDS
        for _, panels in one.rows
        for panel in panels
        for expression, _ in panel.queries
    ]
