"""The installed bertline as a wheel, so that an image runs exactly the code that its bundle was checked with."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from bertline import __version__
from bertline.errors import UsageError

NAME = f"bertline-{__version__}-py3-none-any.whl"
_INFO = f"bertline-{__version__}.dist-info"
_WHEEL = b"Wheel-Version: 1.0\nGenerator: bertline\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can hold


def pack() -> bytes:
    """The wheel's bytes, the same for the same code.

    Raises:
        UsageError: bertline runs from a source tree that was never installed.
    """
    try:
        described = metadata.distribution("bertline").read_text("METADATA") or ""
        entries = metadata.distribution("bertline").read_text("entry_points.txt") or ""
    except metadata.PackageNotFoundError:
        raise UsageError(
            "bertline is not installed here, so an image cannot install it: pip install it first"
        ) from None
    files = dict(sorted(_walk(resources.files("bertline"), "bertline/")))
    files |= {f"{_INFO}/METADATA": described.encode(), f"{_INFO}/WHEEL": _WHEEL}
    files |= {f"{_INFO}/entry_points.txt": entries.encode()}
    files[f"{_INFO}/RECORD"] = _record(files)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _EARLIEST)
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _record(files: dict[str, bytes]) -> bytes:
    """PEP 376: path, hash and size of every file, and the path of the record itself."""
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for path, content in files.items()
    ]
    return "\n".join([*lines, f"{_INFO}/RECORD,,", ""]).encode()


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    files: list[tuple[str, bytes]] = []
    for one in folder.iterdir():
        if one.is_dir():
            files += _walk(one, f"{prefix}{one.name}/") if one.name != "__pycache__" else []
        else:
            files.append((f"{prefix}{one.name}", one.read_bytes()))
    return files
