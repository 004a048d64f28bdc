"""What an install of bertline brings along, read from the metadata of the installed packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(*extras: str) -> set[str]:
    """Canonical names of bertline, what it needs with ``extras``, and what those need, all the way down."""
    found: set[str] = set()
    waiting = [Requirement(f"bertline[{','.join(extras)}]")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found.add(name)
        waiting += [one for one in _needs(name) if _applies(one, requirement.extras)]
    return found


def declared() -> set[str]:
    """Canonical names of what bertline asks for itself, in any of its extras."""
    return {canonicalize_name(one.name) for one in _needs("bertline")}


def modules_outside(distributions: set[str]) -> set[str]:
    """Top-level modules of every installed package that is not one of ``distributions``."""
    owners = packages_distributions().items()
    return {module for module, names in owners if not {canonicalize_name(n) for n in names} & distributions}


def _needs(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:  # not wanted on this platform: nothing of it can be imported
        return []


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras or {""})
