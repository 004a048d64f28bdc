from __future__ import annotations

from pathlib import Path

import pytest

from bertline.deploy.manifests import render
from bertline.errors import UsageError


def test_without_helm_nothing_is_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"^rendering manifests needs helm, which is not on the path: install Helm 4"):
        render(tmp_path, "reviews", "shop")
