"""The page in a real browser, for the tests that look at it: nothing may be asked of anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bertline.testing.words import Gated

TIMEOUT_MS = 20_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Watch:
    """What a page asked for and what it complained about."""

    origin: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Watch this page."""
        page.on("request", lambda one: self.asked(one.url))
        page.on("console", lambda one: self.complaints.append(one.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def asked(self, url: str) -> None:
        """Note what is not of this server."""
        if not url.startswith((f"{self.origin}/", f"blob:{self.origin}/", "data:")):
            self.foreign.append(url)


Opened = tuple[Page, Watch]
Visit = Callable[..., Opened]


@contextmanager
def browser_at(path: str) -> Iterator[Browser]:
    """A Chromium without a window."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as run, run.chromium.launch(executable_path=path, args=FLAGS) as one:
        yield one


@contextmanager
def visits(browser: Browser) -> Iterator[Visit]:
    """Opens a page in a fresh browser context; at the end nothing foreign may have been asked for."""
    with ExitStack() as stack:
        watches: list[Watch] = []

        def go(url: str, path: str = "/", **context: Any) -> Opened:
            page = stack.enter_context(browser.new_context(**context)).new_page()
            page.set_default_timeout(TIMEOUT_MS)
            watch = Watch(url)
            watch.over(page)
            watches.append(watch)
            page.goto(url + path)
            return page, watch

        yield go
        assert [watch.foreign for watch in watches] == [[] for _ in watches]


@contextmanager
def held(model: Gated) -> Iterator[None]:
    """Let the warm-up pass, hold what comes after it, and let go at the end."""
    try:
        model.gate.set()
        yield
    finally:
        model.gate.set()


def state(page: Page) -> Any:
    """Of the answer to what was typed."""
    return expect(page.locator("#answer"))


def no_sideways_scrolling(page: Page) -> bool:
    """Everything is as wide as the window or narrower."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
