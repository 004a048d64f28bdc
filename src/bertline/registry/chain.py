"""The log of deployments as a chain: each entry has the hash of the one before, so a changed past is found.

An entry's hash is the SHA-256 of a line ``bertline deployment v1`` and the entry's other fields as JSON, ``previous``
among them; the first entry follows 64 zeros. Whoever can write the database could hash the whole chain again, or remove
its last entries: a hash that was noted elsewhere (``models history --verify --head HASH``) shows that too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

START = "0" * 64
_DOMAIN = b"bertline deployment v1\n"

Action = Literal["promote", "rollback", "step"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One move of an alias.

    Attributes:
        number: from 1, without gaps, over all models of the registry.
        time: in UTC, as ISO 8601.
        by: who did it.
        action: what was done; a step of a rollout leaves the alias where it is, or removes it.
        model: by name.
        alias: that was moved.
        from_version, from_digest: the version that the alias named before; None if it named none.
        to_version, to_digest: the one that it names now; None if it was removed.
        verdict: SHA-256 of the gate's verdict; None if there was none.
        reason: given by whoever did it; there is one wherever there is no verdict for a champion.
        previous: hash of the entry before.
        hash: of this one.
    """

    number: int
    time: str
    by: str
    action: Action
    model: str
    alias: str
    from_version: int | None
    from_digest: str | None
    to_version: int | None
    to_digest: str | None
    verdict: str | None
    reason: str | None
    previous: str
    hash: str = ""

    def sealed(self) -> Deployment:
        """The same entry with its hash."""
        fields = {name: value for name, value in asdict(self).items() if name != "hash"}
        content = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return replace(self, hash=hashlib.sha256(_DOMAIN + content.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is broken: the number of the entry, and what is wrong with it as the end of a sentence."""

    number: int
    what: str


def broken(entries: Sequence[Deployment], head: str | None = None) -> Fault | None:
    """The first fault of a chain; None if it is whole.

    Args:
        entries: all of them, by number.
        head: a hash that was noted earlier and has to be in the chain.
    """
    previous = START
    for expected, entry in enumerate(entries, 1):
        if entry.number != expected:
            missing = "is missing" if entry.number > expected else "is there twice"
            return Fault(min(expected, entry.number), missing)
        if entry.sealed().hash != entry.hash:
            return Fault(expected, "was changed after it was written")
        if entry.previous != previous:
            return Fault(expected, "does not follow the entry before it: that one was replaced")
        previous = entry.hash
    if head is not None and head not in (START, *(entry.hash for entry in entries)):
        return Fault(len(entries), f"is the last one, and none has the noted hash {head[:12]}: others were removed")
    return None


def champions(entries: Sequence[Deployment]) -> list[int]:
    """The versions that an alias named, the current one last: a promotion adds one, a rollback goes back to one.

    A version that a rollback left is not in it, so the next rollback goes further back.

    Args:
        entries: of one alias of one model, by number.
    """
    versions: list[int] = []
    for entry in entries:
        if entry.action == "step":
            continue
        if entry.action == "promote" and entry.from_version is not None and versions[-1:] != [entry.from_version]:
            versions.append(entry.from_version)  # another program moved the alias
        if entry.action == "rollback" and entry.to_version is None:
            versions = versions[:-1]  # the alias was removed, as before its first move
        elif entry.action == "rollback" and entry.to_version in versions:
            while versions[-1] != entry.to_version:
                versions.pop()
        elif entry.to_version is not None:
            versions.append(entry.to_version)
    return versions
