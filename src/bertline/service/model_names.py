"""Names of models in addresses: with slashes, as hubs have them (``BAAI/bge-small``), plain or as ``%2F``.

A path is decoded before it is routed, so both arrive here alike. What an address has after a name (``/ready``,
``/infer``) may not be a later part of a name, or nobody could say where the name ends.
"""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor

KIND = "model"
# Parts of addresses that follow a name, as in /v2/models/{name}/ready.
RESERVED = frozenset({"health", "infer", "info", "pipeline", "ready", "rollback", "versions"})
LONGEST = 200  # characters


class _Name(Convertor[str]):
    regex = f"[^/]+(?:/(?!(?:{'|'.join(sorted(RESERVED))})(?:/|$))[^/]+)*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor(KIND, _Name())


def converted(template: str) -> str:
    """The template of a route as Starlette matches it.

    >>> converted("/v2/models/{name}/ready")
    '/v2/models/{name:model}/ready'
    """
    return template.replace("{name}", f"{{name:{KIND}}}")


def fault_of(name: str) -> str | None:
    """Why no model can be called so, as the predicate of a sentence about the name; None if one can.

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
