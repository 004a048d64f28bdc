"""The tool that takes the guide's pictures of the page, against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertline.testing.tiny import write_tiny_bundle
from tests.service.browsing import browser_at
from tests.service.spawn import spawned
from tools.page_pictures import take

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_BYTES = 300_000


@pytest.mark.drill
@pytest.mark.browser
def test_every_picture_of_the_guide_is_taken(chromium: str, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "reviews", engine=True)
    store = f"sqlite:///{tmp_path / 'p.db'}"
    with (
        spawned(str(tmp_path / "reviews"), "--predictions-url", store, "--predictions-text") as server,
        browser_at(chromium) as browser,
    ):
        taken = take(browser, server.url, tmp_path / "images")
    guide = Path(__file__).parents[2] / "docs"
    text = (guide / "guide" / "studio.md").read_text(encoding="utf-8")
    for path in taken:
        assert path.read_bytes().startswith(PNG)
        kept = guide / "images" / path.name
        assert PNG[:4] == kept.read_bytes()[:4]
        assert kept.stat().st_size < LARGEST_BYTES
    named = {path.name for path in taken if f"images/{path.name}" in text}
    assert len(named) == 4, "the guide shows them, but for the dark one"
