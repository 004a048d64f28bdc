"""The table of metrics and their registry."""
