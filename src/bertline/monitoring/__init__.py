"""Metrics, logs and traces of a running service, each defined in one table."""
