"""Takes the pictures of the page for the guide, from a server that runs: make demo, say.

    python -m tools.page_pictures http://127.0.0.1:8000 docs/images

The server answers the texts below; with --predictions-url and --predictions-text it also has texts for the view Label.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

TEXT = "A quiet, generous film that trusts its actors; by the last scene you have forgotten the clock."
WIDE, NARROW = {"width": 900, "height": 700}, {"width": 360, "height": 740}
WAIT_MS = 60_000


def answered(page: Page) -> None:
    """Try, with an answer."""
    page.fill("#text", TEXT)
    page.keyboard.press("Control+Enter")
    page.locator("#answer[data-state=done]").wait_for(timeout=WAIT_MS)


def explained(page: Page) -> None:
    """Explain, from that answer."""
    answered(page)
    page.get_by_role("button", name="Why?").click()
    page.locator("#view-explain .answer[data-state=done]").wait_for(timeout=WAIT_MS)


def labelling(page: Page) -> None:
    """Label, with its first text."""
    answered(page)  # so that there is one
    page.wait_for_timeout(500)
    page.get_by_role("link", name="Label", exact=True).click()
    page.get_by_label("Your name").fill("Ana")
    page.keyboard.press("Enter")
    page.locator("#view-label .text p").first.wait_for(timeout=WAIT_MS)


def watching(page: Page) -> None:
    """Watch, after an answer."""
    answered(page)
    page.get_by_role("link", name="Watch", exact=True).click()
    page.locator("#view-watch .pairs").nth(1).wait_for(timeout=WAIT_MS)


def take(browser: Browser, url: str, folder: Path) -> list[Path]:
    """Write the pictures to a folder, in light and dark, wide and narrow; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [
        ("studio-try", answered, "light", WIDE),
        ("studio-explain", explained, "light", WIDE),
        ("studio-explain-dark", explained, "dark", NARROW),
        ("studio-label", labelling, "light", WIDE),
        ("studio-watch", watching, "light", WIDE),
    ]
    written = []
    for name, steps, scheme, viewport in pictures:
        context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(url)
        steps(page)
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=viewport is WIDE)
        context.close()
        written.append(path)
    return written


def main() -> None:
    """Take them with the Chromium that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of the server")
    parser.add_argument("folder", type=Path, help="for the pictures; existing ones are replaced")
    options = parser.parse_args()
    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for path in take(browser, options.url, options.folder):
            print(f"{path}  {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
