"""``bertline.json``: a bundle's description, its figures, and the hash of every file in it.

The file protects itself: its last entry is ``checksum``, the SHA-256 of the file's own bytes with the 64
digits of the checksum replaced by zeros. That rule and ``format_version`` hold for every version of the
format, so a newer file can be distinguished from an altered one. It is a checksum against damage and mix-ups, not
a signature.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, ValidationError, model_validator

from bertline import __version__
from bertline.bundle.engine import RESERVED, WORDS, WORDS_FILE, Engine
from bertline.bundle.fields import MANIFEST, Digest, Facts, FilePath, Name, Strict
from bertline.errors import BundleError
from bertline.tasks import read_spec
from bertline.tasks.contract import TaskSpec

FORMAT_VERSION = 2
LARGEST_MANIFEST_BYTES = 64 * 2**20

_ZEROS = b"0" * 64
_TAIL = re.compile(rb'  "checksum": "([0-9a-f]{64})"\n\}\n\Z')
_TAIL_BYTES = len(b'  "checksum": "') + 64 + len(b'"\n}\n')
_AGAIN = "copy or download the bundle again"


def _spec(content: object) -> TaskSpec:
    try:
        return read_spec(content)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def _engines(engines: tuple[Engine, ...]) -> tuple[Engine, ...]:
    names = [engine.name for engine in engines]
    if len(set(names)) < len(names):
        raise ValueError("two engines have the same name")
    if RESERVED in names:
        raise ValueError(f"no engine may be called {RESERVED}: that is PyTorch")
    if WORDS in names:
        raise ValueError(f"no engine may be called {WORDS}: that is the linear model of words")
    return engines


def _utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FileRecord(Strict):
    """One file of the bundle: its SHA-256 in hexadecimal and its size."""

    sha256: Digest
    bytes: Annotated[int, Field(ge=0)]


class Manifest(Strict):
    """The content of ``bertline.json``.

    ``training``, ``data``, ``metrics`` and ``lineage`` are free-form JSON; the model card says which entries
    it reads (``bertline.bundle.card``). ``engines`` are in the order in which they are tried. ``files`` and
    ``checksum`` are filled in when the bundle is written.

    Raises:
        pydantic.ValidationError: a value out of its range, when built in Python; from a file see ``parse``.
    """

    format_version: Literal[2] = 2  # FORMAT_VERSION
    bertline_version: str = __version__
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")] = Field(
        default_factory=_utc_now
    )
    name: Name
    task: Annotated[SerializeAsAny[TaskSpec], BeforeValidator(_spec)]
    max_tokens: Annotated[int, Field(ge=4)]
    truncation: Literal["head_tail", "head", "window"]
    pooling: Literal["cls", "mean", "normalised", "none", "pooled"]
    training: Facts = Field(default_factory=dict)
    data: Facts = Field(default_factory=dict)
    metrics: Facts = Field(default_factory=dict)
    lineage: Facts = Field(default_factory=dict)
    engines: Annotated[tuple[Engine, ...], AfterValidator(_engines)] = ()
    files: dict[FilePath, FileRecord] = Field(default_factory=dict)
    checksum: Digest = _ZEROS.decode()

    @model_validator(mode="before")
    @classmethod
    def _of_one_label(cls, content: Any) -> Any:
        """``labels`` and ``temperature`` beside the task are those of a classifier of one label, as in format 1."""
        if not isinstance(content, dict) or "labels" not in content:
            return content
        rest = {key: entry for key, entry in content.items() if key not in ("labels", "temperature")}
        spec = {key: content[key] for key in ("labels", "temperature") if key in content}
        return rest | {"task": {"task": "classify"} | spec}

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the head's outputs, in their order."""
        return self.task.labels

    @property
    def temperature(self) -> float:
        """Divides the logits before they become probabilities."""
        return self.task.temperature

    @property
    def engine_names(self) -> tuple[str, ...]:
        """Everything that can answer, in the order in which it is tried; the linear model of words only on request."""
        words = (WORDS,) if WORDS_FILE in self.files else ()
        return (*(engine.name for engine in self.engines), RESERVED, *words)

    def sealed(self, files: Mapping[str, FileRecord]) -> tuple[Manifest, bytes]:
        """The manifest of a bundle with these files, and the exact bytes of its ``bertline.json``.

        Raises:
            BundleError: a file's path cannot be part of a bundle.
        """
        try:
            filled = Manifest(**{**dict(self), "files": dict(sorted(files.items())), "checksum": _ZEROS.decode()})
        except ValidationError as error:
            raise BundleError(f"the bundle cannot be written: {_first(error)}; rename it") from None
        content = filled.model_dump(mode="json")
        raw = (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
        checksum = hashlib.sha256(raw).hexdigest()
        sealed = raw[:-_TAIL_BYTES] + raw[-_TAIL_BYTES:].replace(_ZEROS, checksum.encode())
        return filled.model_copy(update={"checksum": checksum}), sealed


def parse(raw: bytes, origin: str) -> Manifest:
    """The manifest in the bytes of a ``bertline.json``; ``origin`` names the bundle in messages.

    Raises:
        BundleError: any byte differs from what was written, the format is newer, or an entry is unknown or
            wrong.
    """
    _check(raw, origin)
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} of {origin} is not JSON ({error}): {_AGAIN}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"{origin} is a bundle of format version {version} and bertline {__version__} reads up to "
            f"{FORMAT_VERSION}: upgrade with pip install --upgrade bertline"
        )
    try:
        _same_keys(content, origin, version)
        return Manifest.model_validate(content | ({"format_version": FORMAT_VERSION} if version == 1 else {}))
    except ValidationError as error:
        raise BundleError(
            f"{MANIFEST} of {origin} has a wrong entry: {_first(error)}; the tool that wrote it is at fault: "
            "write the bundle again with bertline"
        ) from None


def _check(raw: bytes, origin: str) -> None:
    """Every byte is what it was when the checksum was made."""
    tail = _TAIL.search(raw[-_TAIL_BYTES:])
    if tail is None:
        raise BundleError(
            f"{MANIFEST} of {origin} does not end with its checksum, so it is truncated or altered: {_AGAIN}"
        )
    zeroed = raw[:-_TAIL_BYTES] + raw[-_TAIL_BYTES:].replace(tail[1], _ZEROS)
    if hashlib.sha256(zeroed).hexdigest().encode() != tail[1]:
        raise BundleError(f"{MANIFEST} of {origin} was altered after the bundle was written: {_AGAIN}")


def _same_keys(content: Any, origin: str, version: object) -> None:
    """The file has every entry of its format and no other."""
    known, keys = set(Manifest.model_fields), set(content) if isinstance(content, dict) else set()
    if version == 1:
        known |= {"labels", "temperature"}
    for key in sorted(keys - known):
        near = difflib.get_close_matches(key, known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise BundleError(
            f"{MANIFEST} of {origin} has the unknown entry {key!r}{hint}: bertline {__version__} did not "
            "write it; write the bundle again with bertline"
        )
    if known - keys:
        raise BundleError(
            f"{MANIFEST} of {origin} lacks {', '.join(sorted(known - keys))}: write the bundle again with bertline"
        )


def _first(error: ValidationError) -> str:
    """The first complaint of pydantic, on one line, without the offending input's whole value."""
    complaint = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in complaint["loc"] if part != "[key]")
    return f"{place}: {complaint['msg'].removeprefix('Value error, ')}"
