"""Users and passwords of registries, from where ``docker login``, ``podman login`` and ``skopeo login`` keep them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertline.errors import UsageError

_HUB = ("docker.io", "registry-1.docker.io", "index.docker.io")


def basic_credentials(host: str) -> str | None:
    """``user:password`` in Base64 for a registry; None if there is none.

    Raises:
        UsageError: a file cannot be read, or a credential helper failed.
    """
    names = [*_HUB, "https://index.docker.io/v1/"] if host in _HUB else [host]
    for path in _files():
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_bytes())
            entries = dict(content.get("auths") or {})
            helpers, helper = dict(content.get("credHelpers") or {}), content.get("credsStore")
        except (OSError, ValueError, AttributeError):
            raise UsageError(f"{path} cannot be read as a file of registries' credentials: log in again") from None
        for name in names:
            if auth := _auth(entries.get(name)):
                return auth
            if name in helpers or (helper and name in entries):
                return _from_helper(helpers.get(name, helper), name)
    return None


def _files() -> Iterator[Path]:
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _auth(entry: Any) -> str | None:
    auth = entry.get("auth") if isinstance(entry, dict) else None
    return auth if isinstance(auth, str) and auth else None


def _from_helper(helper: str, host: str) -> str:
    """Ask a credential helper: https://github.com/docker/docker-credential-helpers."""
    program = f"docker-credential-{helper}"
    try:
        run = subprocess.run([program, "get"], input=host.encode(), capture_output=True, check=True, timeout=60)
        answer = json.loads(run.stdout)
        return base64.b64encode(f"{answer['Username']}:{answer['Secret']}".encode()).decode()
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        raise UsageError(f"{program} gave no credentials for {host}: log in there again") from None
