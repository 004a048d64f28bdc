"""Kibana's objects by themselves; how they hang together is in test_elk."""

from __future__ import annotations

from bertline.monitoring.dashboards.kibana import VIEW, saved_objects


def test_the_data_view_comes_first_because_the_others_need_it() -> None:
    first, *others = saved_objects("logs-x-*")
    assert (first["type"], first["id"]) == ("index-pattern", VIEW)
    assert first["attributes"] == {"title": "logs-x-*", "name": "bertline logs", "timeFieldName": "@timestamp"}
    assert {one["type"] for one in others} == {"search", "lens", "dashboard"}


def test_every_object_declares_its_form() -> None:
    assert {one["coreMigrationVersion"] for one in saved_objects("x")} == {"8.8.0"}
    assert {one["typeMigrationVersion"] for one in saved_objects("x")} == {"8.0.0", "8.9.0"}
