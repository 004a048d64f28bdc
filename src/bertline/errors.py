"""The error tree: every error a user can cause is one of these, and its message is one sentence.

A message names the thing, the place (file, line, column, field) and the remedy. The command line prints it
after ``error:`` and exits with the class's ``exit_code``; a traceback appears only with ``--debug``.
"""

from __future__ import annotations


class BertlineError(Exception):
    """Something the user can put right; ``str(error)`` is the sentence that says how."""

    exit_code = 1


class UsageError(BertlineError):
    """The command was asked for something that makes no sense (exit code 2, as for a bad flag)."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting in a file, the environment or a flag is unknown or out of range."""


class DataError(BertlineError):
    """A table, a row, a column or a label cannot be used."""


class CheckpointError(BertlineError):
    """A model directory, package or hub id cannot be read as a BERT or DistilBERT checkpoint."""


class BundleError(BertlineError):
    """A bundle is missing, truncated, altered or of an unknown format."""


class DestinationError(BertlineError):
    """A result cannot be written where it is to go: the name, the rights, the room, or another writer."""


class TrainingError(BertlineError):
    """Training cannot start, go on or be resumed."""


class Interrupted(TrainingError):
    """Training was stopped from outside; a checkpoint to resume from is on disk."""

    exit_code = 130


class BertlineWarning(UserWarning):
    """Something the user should know and may leave as it is; the message is one sentence."""


class CheckpointWarning(BertlineWarning):
    """A part of a checkpoint has no effect here; the message names it."""


class EngineWarning(BertlineWarning):
    """An engine of a bundle is not used, and another answers in its place; the message names both."""
