"""Entities in a text: spans of characters, each with a type."""
