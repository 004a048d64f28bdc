"""Names of versions in the registry: ``reviews@champion`` by an alias, ``reviews:3`` by its number.

Where a bundle is expected they begin with ``models:/``, as MLflow writes them: ``models:/reviews@champion``,
``models:/reviews/3``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bertline.errors import UsageError

SCHEME = "models:/"
CHAMPION = "champion"
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\:@]{1,200}")
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,200}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_RESERVED = re.compile(r"(?i)latest|v[0-9]+")  # MLflow's own, in any case of letters


@dataclass(frozen=True, slots=True)
class Reference:
    """A version by its alias or by its number; neither: the model."""

    name: str
    alias: str | None = None
    version: int | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:{self.version}"
        return f"{self.name}@{self.alias}" if self.alias else self.name


def is_reference(text: str) -> bool:
    """Whether a text in place of a bundle's path names a version in the registry.

    >>> is_reference("models:/reviews@champion"), is_reference("runs/reviews")
    (True, False)
    """
    return text.startswith(SCHEME)


def parse_reference(text: str) -> Reference:
    """The parts of a reference.

    >>> parse_reference("reviews@champion")
    Reference(name='reviews', alias='champion', version=None)
    >>> parse_reference("models:/reviews/3") == parse_reference("reviews:3") == Reference("reviews", version=3)
    True

    Raises:
        UsageError: it is none.
    """
    rest = text.removeprefix(SCHEME)
    name, at, alias = rest.rpartition("@")
    if at:
        return Reference(check_name(name), alias=check_alias(alias))
    separator = "/" if "/" in rest and text.startswith(SCHEME) else ":"
    name, found, number = rest.partition(separator)
    if not found:
        return Reference(check_name(rest))
    if not _NUMBER.fullmatch(number):
        raise UsageError(
            f"{text} is not a version of a model: write NAME@ALIAS, as in reviews@{CHAMPION}, or NAME:VERSION, as in "
            "reviews:3"
        )
    return Reference(check_name(name), version=int(number))


def check_name(name: str) -> str:
    """The name of a model, as it is.

    Raises:
        UsageError: MLflow or a reference could not have it.
    """
    if not _NAME.fullmatch(name) or name.strip() != name or name in (".", ".."):
        raise UsageError(
            f"{name!r} cannot be the name of a model: use 1 to 200 characters, without / \\ : @ and spaces at the ends"
        )
    return name


def check_alias(alias: str) -> str:
    """An alias, as it is.

    Raises:
        UsageError: MLflow could not have it.
    """
    if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise UsageError(
            f"{alias!r} cannot be an alias: use letters, digits, - and _, and neither latest nor v with a number"
        )
    return alias
