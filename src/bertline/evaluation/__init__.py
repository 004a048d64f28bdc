"""The report that shows how good a model is, the simple models that it has to beat, and a model measured on a table.

Import from the modules: ``report``, ``baselines``, ``labelled_table``. ``kinds`` has what differs between tasks.
"""
