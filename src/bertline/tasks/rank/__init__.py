"""Rankers: how relevant a text is to a query."""
