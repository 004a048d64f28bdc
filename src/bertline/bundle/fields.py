"""The types of a manifest's entries: paths that stay inside the bundle, facts that JSON can say, digests, names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

MANIFEST = "bertline.json"


def safe_path(path: str) -> str:
    """A path of a file inside a bundle, relative and POSIX, as it is.

    >>> safe_path("engines/onnx/model.onnx")
    'engines/onnx/model.onnx'

    Raises:
        ValueError: the path could mean a file outside the bundle, ``bertline.json`` itself, or two different
            files.
    """
    unsafe = (
        PurePosixPath(path).is_absolute()
        or bool(PureWindowsPath(path).drive)
        or "\\" in path
        or not path.isprintable()
        or any(part in ("", ".", "..") for part in path.split("/"))
        or path == MANIFEST
    )
    if unsafe:
        raise ValueError(f"{path!r} is not a path of a file inside the bundle")
    return path


def _plain(value: Any) -> Any:
    """``value`` as JSON can say it: NumPy unpacked, NaN and infinities as null, broken UTF-8 mended."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, str):  # a file name that is not UTF-8 carries lone surrogates
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


Facts = Annotated[dict[str, JsonValue], BeforeValidator(_plain)]
FilePath = Annotated[str, AfterValidator(safe_path)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]


class Strict(BaseModel):
    """A part of the manifest: frozen, and an unknown entry is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), validate_default=True)
