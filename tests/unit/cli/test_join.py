from __future__ import annotations

from pathlib import Path

import pytest

from bertline.cli.join import join
from bertline.errors import UsageError


def test_a_directory_without_a_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no job: give the directory that bertline predict"):
        join(str(tmp_path), tmp_path / "out.csv")
