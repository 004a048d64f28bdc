"""Labelled text: tables in and out, examples, labels, splits, duplicates and fingerprints.

Nothing here knows of tokens or tensors; a table becomes a ``Dataset`` of strings, and what is wrong with it
is said with its line. ``batching`` lays out what the tokenizer made of it.
"""
