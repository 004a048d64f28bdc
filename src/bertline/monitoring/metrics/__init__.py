"""The table of metrics, and the registry that keeps their values."""
