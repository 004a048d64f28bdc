"""Trace context and the spans that are exported."""
