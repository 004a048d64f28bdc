"""The packages installed in a directory as a CycloneDX document: names, versions, licences, package URLs.

``python -m bertline.deploy.sbom DIRECTORY FILE``. The same packages give the same bytes: no time and no serial number.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from bertline import __version__

_EXPRESSION = re.compile(r"[A-Za-z0-9.+() -]{1,100}")  # of SPDX; older metadata holds whole licence texts


def document(directory: Path) -> str:
    """The document, as JSON."""
    found = {_name(one): one for one in distributions(path=[str(directory)])}
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"tools": {"components": [{"type": "application", "name": "bertline", "version": __version__}]}},
        "components": [_component(name, one) for name, one in sorted(found.items())],
    }
    return json.dumps(content, indent=1) + "\n"


def _name(one: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", one.name).lower()


def _component(name: str, one: Distribution) -> dict[str, Any]:
    url = f"pkg:pypi/{name}@{one.version}"
    licence = next((one.metadata[key] for key in ("License-Expression", "License") if key in one.metadata), "")
    component = {"type": "library", "bom-ref": url, "name": name, "version": one.version, "purl": url}
    return component | ({"licenses": [{"license": {"name": licence}}]} if _EXPRESSION.fullmatch(licence) else {})


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(document(Path(sys.argv[1])), encoding="utf-8")
