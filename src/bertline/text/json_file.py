"""The small JSON files beside a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bertline.errors import CheckpointError


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if the file does not exist.

    Raises:
        CheckpointError: the file contains anything else.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}): copy it again from the model's source") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not a JSON object: copy it again from the model's source")
    return content
