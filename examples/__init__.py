"""Runnable stories on real data: ``python -m examples.demo``, ``python -m examples.reuters``."""
