"""Memory that a long training on a CPU would keep without using it."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return freed memory to the system, where the C library can (``malloc_trim(3)`` of glibc).

    The tensors of each step have other sizes than those of the step before, and glibc keeps what they leave between
    them: a process that needs two gigabytes at a time grew to six in half an hour.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
