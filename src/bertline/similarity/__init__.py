"""Embedded texts: an index of them on disk, and what it says: nearest texts, clusters, duplicates by meaning."""

THRESHOLD = 0.9  # cosine from which two texts count as duplicates, by default
