"""How good a classifier is, how sure that is, and the report that shows it.

Import from the modules: ``evaluate`` (everything about one set of rows), ``calibration``, ``baselines``, ``report``.
"""
