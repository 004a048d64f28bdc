"""An error for the log: its class and the code it went through, never its message.

Libraries' messages often quote their input, which is a user's text.
"""

from __future__ import annotations

import traceback

MOST_CAUSES = 5


def kind_of(error: BaseException) -> str:
    """The error's class with its module.

    >>> kind_of(ValueError("secret"))
    'builtins.ValueError'
    """
    return f"{type(error).__module__}.{type(error).__qualname__}"


def path_of(error: BaseException) -> str:
    """The classes of an error and its causes, each with its stack trace but no message."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < MOST_CAUSES:
        frames = traceback.extract_tb(current.__traceback__)
        places = "".join(f"\n  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        parts.append(f"{kind_of(current)}{places}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nfrom ".join(parts)
