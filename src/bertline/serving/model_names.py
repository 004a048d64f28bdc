"""Valid names of models: they may contain slashes, as on hubs (``BAAI/bge-small``).

In a path, a name may be followed by a part such as ``/ready`` or ``/infer``. These parts are reserved: if names could
contain them, the end of a name would be ambiguous.
"""

from __future__ import annotations

# Parts of paths that follow a name, as in /v2/models/{name}/ready.
RESERVED = frozenset(
    {
        *("canary", "health", "history", "infer", "info", "pipeline", "ready", "rollback", "rollout", "shadow"),
        *("verdicts", "versions"),
    }
)
LONGEST = 200  # characters


def fault_of(name: str) -> str | None:
    """The fault of a name, as the predicate of a sentence about it; None if it is valid.

    >>> fault_of("BAAI/bge-small"), fault_of("a//b"), fault_of("a/ready")
    (None, 'has an empty part', "has the part 'ready', which is reserved in addresses")
    """
    parts = name.split("/")
    if not all(parts):
        return "is empty" if not name else "has an empty part"
    if len(name) > LONGEST:
        return f"has more than {LONGEST} characters"
    if {".", ".."} & set(parts):
        return "has the part '.' or '..', which clients and proxies remove from addresses"
    if not name.isprintable():
        return "has a character that cannot be printed"
    reserved = next((part for part in parts[1:] if part in RESERVED), None)
    return f"has the part {reserved!r}, which is reserved in addresses" if reserved else None


def engine_of(name: str, wanted: str | None) -> str | None:
    """The engine of a model, from ``--engine``: that of all models, or NAME=ENGINE of single ones.

    >>> engine_of("exact", "exact=fp32,small=int8"), engine_of("other", "exact=fp32"), engine_of("other", "int8")
    ('fp32', None, 'int8')
    """
    if wanted is None or "=" not in wanted:
        return wanted
    by_name = {own.strip(): engine.strip() for own, _, engine in (one.rpartition("=") for one in wanted.split(","))}
    return by_name.get(name)
