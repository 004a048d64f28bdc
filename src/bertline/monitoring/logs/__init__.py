"""The table of log fields, and the writer of log lines."""
