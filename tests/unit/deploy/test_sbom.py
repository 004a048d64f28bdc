"""The bill of materials of an image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bertline.deploy import sbom


def test_it_names_packages_versions_and_licences(tmp_path: Path) -> None:
    for name in ("numpy", "pydantic"):
        [info] = Path(np.__file__).parents[1].glob(f"{name}-*.dist-info")
        (tmp_path / info.name).symlink_to(info)
    content = json.loads(sbom.document(tmp_path))
    by_name = {one["name"]: one for one in content["components"]}
    assert by_name["numpy"]["purl"] == f"pkg:pypi/numpy@{np.__version__}"
    assert "BSD-3-Clause" in by_name["numpy"]["licenses"][0]["license"]["name"]
    assert list(by_name) == ["numpy", "pydantic"]
    assert sbom.document(tmp_path) == sbom.document(tmp_path)


def test_a_whole_licence_text_is_no_name(tmp_path: Path) -> None:
    info = tmp_path / "one-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: One_a\nVersion: 1\nLicense: Copyright © 2026, …\n")
    [one] = json.loads(sbom.document(tmp_path))["components"]
    assert one["name"] == "one-a"
    assert "licenses" not in one
