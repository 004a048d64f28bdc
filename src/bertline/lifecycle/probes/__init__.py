"""Behavioural probes: texts changed so that the answer must not change, or only one way; and what broke."""
