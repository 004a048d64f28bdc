"""Takes the pictures of the page for the guide, from a server that runs: make demo, say.

    python -m tools.page_pictures http://127.0.0.1:8000 docs/images

The server answers the texts below; with --predictions-url and --predictions-text it also has texts for the view Label.
With a table, a labelled CSV file, only the picture of Compare is taken, which takes a server with two models.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

TEXT = "A quiet, generous film that trusts its actors; by the last scene you have forgotten the clock."
SCANNED = [
    "the movie is gorgeously made, but it is also somewhat shallow",
    "It isn't a film for everyone, and I didn't expect anything.",
    "a mess, but it's a sincere mess",
    "compelling revenge thriller, though somewhat weakened by its leading lady",
    "Amanda saw it in Boston and thought it was wonderful.",
    "strong filmmaking requires a clear sense of purpose",
]
WIDE, NARROW = {"width": 900, "height": 700}, {"width": 360, "height": 740}
TALL = {"width": 900, "height": 1960}  # of a longer page
WAIT_MS = 60_000
Picture = tuple[
    str, Callable[[Page], None], str, dict[str, int]
]  # name, steps to it, colour scheme, size of the window


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


def scanned(page: Page) -> None:
    """Scan, with a probe that is opened."""
    page.get_by_role("link", name="Scan", exact=True).click()
    page.get_by_label("Texts, one per line").fill("\n".join(SCANNED))
    page.locator("#view-scan .primary").click()
    page.locator("#view-scan .answer[data-state=done]").wait_for(timeout=WAIT_MS)
    page.locator("#view-scan .probes summary").first.click()


def watching(page: Page) -> None:
    """Watch, after an answer."""
    answered(page)
    page.wait_for_timeout(500)  # until it is kept
    page.get_by_role("link", name="Watch", exact=True).click()
    page.locator("#view-watch .pairs").nth(1).wait_for(timeout=WAIT_MS)
    page.locator("#view-watch .of-history :is(canvas, .note)").first.wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(500)


def comparing(table: Path) -> Callable[[Page], None]:
    """Compare, on a table."""

    def steps(page: Page) -> None:
        page.get_by_role("link", name="Compare", exact=True).click()
        view = page.locator("#view-compare")
        view.get_by_role("radio", name="CSV file").check()
        view.locator("input[type=file]").set_input_files(table)
        view.get_by_role("button", name="Compare on").click()
        view.locator("#compare-rows").wait_for(timeout=10 * WAIT_MS)
        view.locator(".chart canvas").nth(1).wait_for(timeout=WAIT_MS)
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.wait_for_timeout(500)

    return steps


def take(browser: Browser, url: str, folder: Path, table: Path | None = None) -> list[Path]:
    """Write the pictures to a folder, in light and dark, wide and narrow; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: list[Picture] = [
        ("studio-try", answered, "light", WIDE),
        ("studio-explain", explained, "light", WIDE),
        ("studio-explain-dark", explained, "dark", NARROW),
        ("studio-label", labelling, "light", WIDE),
        ("studio-scan", scanned, "light", WIDE),
        ("studio-watch", watching, "light", WIDE),
    ]
    if table is not None:  # its server has two models, which the other pictures are not about
        pictures = [("studio-compare", comparing(table), "light", TALL)]
    return [_taken(browser, url, folder, one) for one in pictures]


def _taken(browser: Browser, url: str, folder: Path, picture: Picture) -> Path:
    name, steps, scheme, viewport = picture
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    steps(page)
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=viewport is WIDE)
    context.close()
    return path


def main() -> None:
    """Take them with the Chromium that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of the server")
    parser.add_argument("folder", type=Path, help="for the pictures; existing ones are replaced")
    parser.add_argument("table", type=Path, nargs="?", help="labelled CSV file; takes the picture of Compare alone")
    options = parser.parse_args()
    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for path in take(browser, options.url, options.folder, options.table):
            print(f"{path}  {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
