"""Write several files into a directory, after one check of the place and the room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bertline.destination.checks import check_place, check_room
from bertline.destination.claim import claim
from bertline.destination.files import as_destination_error, replace_file


def write_files(files: Mapping[str, str | bytes], directory: Path, what: str) -> list[Path]:
    """Write each text or content to its path below a directory; existing files are overwritten, scripts are executable.

    Args:
        files: texts and contents by path below the directory.
        directory: made if it is not there.
        what: the files' name in messages.

    Returns:
        The paths, in order.

    Raises:
        DestinationError: the directory cannot be written to, or another process writes there.
    """
    contents = {directory / name: one.encode() if isinstance(one, str) else one for name, one in files.items()}
    check_place(directory, what, inside=True)
    check_room(directory, what, sum(map(len, contents.values())))
    with claim(directory / "bertline", what), as_destination_error(directory, what):
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content, mode=0o777 if content.startswith(b"#!") else 0o666)
    return list(contents)
