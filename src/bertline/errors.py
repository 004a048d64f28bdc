"""The error tree: every error a user can cause is one of these, and its message is one sentence.

A message names the thing, the place (file, line, column, field) and the remedy. The command line prints it
after ``error:`` and exits with the class's ``exit_code``; a traceback appears only with ``--debug``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BertlineError(Exception):
    """An error that the user can fix; ``str(error)`` is one sentence that says how."""

    exit_code = 1


class UsageError(BertlineError):
    """The arguments make no sense together (exit code 2, as for a bad flag)."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting in a file, the environment or a flag is unknown or out of range."""


class DataError(BertlineError):
    """A table, a row, a column or a label cannot be used."""


class CheckpointError(BertlineError):
    """A model directory, package or hub id cannot be read as a checkpoint of a known family."""


class BundleError(BertlineError):
    """A bundle is missing, truncated, altered or of an unknown format."""


class StoreError(BertlineError):
    """A bundle cannot be fetched from an address or pushed to one."""


class ClusterError(BertlineError):
    """A cluster of machines cannot be reached, refuses the caller, or has other software."""


class RegistryError(BertlineError):
    """The registry cannot be reached, lacks what was asked for, or was changed by somebody else meanwhile."""


class DestinationError(BertlineError):
    """An output cannot be written: its name, permissions, disk space, or another writer prevents it."""


class TrainingError(BertlineError):
    """Training cannot start, continue or be resumed."""


class Interrupted(TrainingError):
    """Training was interrupted; a checkpoint to resume from is on disk."""

    exit_code = 130


class BertlineWarning(UserWarning):
    """Something the user should know but need not fix; the message is one sentence."""


class CheckpointWarning(BertlineWarning):
    """Part of a checkpoint has no effect; the message names it."""


class EngineWarning(BertlineWarning):
    """A bundle's engine is skipped and another is used instead; the message names both."""


@contextmanager
def needing(need: str, *packages: str, extra: str) -> Iterator[None]:
    """A block that imports optional packages; the error about a missing one says how to install it.

    Args:
        need: who needs what, as in "the report needs Jinja"; ``{}`` stands for the missing module.
        packages: import names. Another missing module is a fault of the installation, and its error passes unchanged.
        extra: of bertline, which installs them.

    Raises:
        UsageError: one of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise UsageError(
            f"{need.format(error.name)}, which is not installed: pip install 'bertline[{extra}]'"
        ) from None
