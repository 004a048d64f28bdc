"""How large the first load of the page is, and how long it takes in a real Chromium with an empty cache.

    make bench ONLY=page

The server answers with a model that needs no network, so that only the page is measured. A load ends when the links of
the views are there, which is when a text can be sent; the time is the browser's own since the navigation began. Every
load has a new browser context. Writes docs/page.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
from datetime import date
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from benchmarks.parts.machine import describe
from bertline.testing.words import WordCounter
from tests.service.browsing import browser_at
from tests.service.live import live, warm

PAGE = Path("docs/page.md")
LOADS = 20
MOST_BYTES, MOST_S = 200_000, 1.0
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
USABLE = """
const watch = new MutationObserver(() => {
  if (!document.querySelector("#views a")) return;
  window.usableMs = performance.now();
  watch.disconnect();
});
watch.observe(document, { childList: true, subtree: true });
"""  # the page's script writes the links when it knows what is served
SIZES = ("responseBodySize", "responseHeadersSize")


class Load(NamedTuple):
    """One load: its responses, their bytes with headers, seconds until something is seen and until it can be used."""

    responses: int
    bytes: int
    seen_s: float
    usable_s: float


def load(browser: Browser, url: str) -> Load:
    """Open the page as somebody who was never there."""
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(USABLE)
        sizes: list[int] = []
        page.on("requestfinished", lambda one: sizes.append(sum(one.sizes()[key] for key in SIZES)))
        page.goto(url, wait_until="commit")
        page.wait_for_selector("#views a")
        usable_ms = page.evaluate("window.usableMs")
        page.wait_for_load_state("networkidle")
        return Load(len(sizes), sum(sizes), page.evaluate(PAINTED) / 1000, usable_ms / 1000)


def measure(loads: int) -> list[Load]:
    """Load it so many times; the first load, which starts the browser, does not count."""
    path = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    assert path is not None, "there is no chromium: install what tools/packages.txt lists"
    with live({"reviews": WordCounter()}) as url, browser_at(path) as browser:
        warm(url)
        load(browser, url)
        return [load(browser, url) for _ in range(loads)]


def spread(values: list[float]) -> str:
    """The median with the least and the largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def page(found: list[Load], before: float, after: float) -> str:
    """What was measured."""
    most = max(one.bytes for one in found)
    within = sum(one.usable_s < MOST_S for one in found)
    return "\n".join(
        [
            "# First load of the page",
            "",
            f"Measured on {date.today()} with `make bench ONLY=page`, {describe()}. The load of the machine was "
            f"{before:.1f} before and {after:.1f} after it, by other work.",
            "",
            "A Chromium with an empty cache opens the page of a server on the same machine, each time in a new "
            "context. Bytes are bodies and headers of all responses. A load ends when the links of the views are "
            "there, which is when a text can be sent, by the browser's clock.",
            "",
            "| figure | value | aim |",
            "| --- | ---: | ---: |",
            f"| responses | {max(one.responses for one in found)} | |",
            f"| bytes, the most | {most:,} | {MOST_BYTES:,} |",
            f"| s until something is seen, median of {len(found)} loads (least to most) "
            f"| {spread([one.seen_s for one in found])} | |",
            f"| s until it can be used | {spread([one.usable_s for one in found])} | {MOST_S:g} |",
            f"| loads within {MOST_S:g} s | {within} of {len(found)} | |",
            "",
        ]
    )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=LOADS)
    given = parser.parse_args()
    before = os.getloadavg()[0]
    found = measure(given.loads)
    PAGE.write_text(page(found, before, os.getloadavg()[0]), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
