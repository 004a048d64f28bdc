"""The table of log fields, and what writes a line."""
