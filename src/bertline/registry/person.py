"""Who changes the registry, for its log."""

from __future__ import annotations

import getpass
import os
import platform


def whoever() -> str:
    """``USER@HOST`` of this process; a user without a name is a number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no entry
        user = str(os.getuid())
    return f"{user}@{platform.node()}"
