"""Dashboards, alerts, recording rules and index templates, generated from the tables."""
