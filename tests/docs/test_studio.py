"""The guide to the page: its way to an explanation is played on what ``make demo`` serves, and its pictures are taken.

    make pictures

writes the pictures to docs/images. Without PICTURES they are only looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from examples.loop.server import Workshop
from tests.docs.pictured import (
    NARROW,
    WAIT_MS,
    Picture,
    answered,
    comparing,
    explained,
    inside,
    labelling,
    scanned,
    take,
    watching,
)
from tests.docs.studio import Demo, Week
from tests.service.browsing import browser_at, visits

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guide" / "studio.md").read_text(encoding="utf-8")
OF_THE_DEMO = [
    Picture("studio-try", answered),
    Picture("studio-explain", explained),
    Picture("studio-dark", explained, scheme="dark", width=NARROW, height=740, top="#view-explain .answer"),
    Picture("studio-anatomy", inside, end="#view-anatomy .step:nth-child(2)"),
    Picture("studio-scan", scanned),
]
ENDS = {"studio-compare": "#view-compare .verdict-of"}
OF_THE_WEEK = ["studio-label", "studio-compare", "studio-watch"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with browser_at(chromium) as one:
        yield one


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, in PICTURES_DEMO if that is set: what is there already is not made again."""
    kept = os.environ.get("PICTURES_DEMO")
    one = Demo(Path(kept).resolve() if kept else tmp_path_factory.mktemp("demo"))
    one.make()
    return one


@pytest.fixture(scope="module")
def demo_url(demo: Demo) -> Iterator[str]:
    with demo.served() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where pictures are written."""
    one = Path(os.environ.get("PICTURES") or tmp_path)
    one.mkdir(parents=True, exist_ok=True)
    return one


def steps_of_the_guide() -> list[str]:
    """The numbered ones of its first section."""
    section = GUIDE.split("\n## ")[1]
    return [line.partition(". ")[2] for line in re.findall(r"^\d\. .*$", section, re.MULTILINE)]


def test_the_guide_leads_to_why_in_three_steps() -> None:
    first, second, third = steps_of_the_guide()
    assert first.startswith("**Click an example** below the text, such as *Praise*.")
    assert second.startswith("**Click *Why?*** below the answer.")
    assert third.startswith("**Point at a word**")
    assert "*Faithfulness*" in third


def line_of(word: Locator) -> str:
    return str(word.evaluate("one => getComputedStyle(one).borderBottomStyle"))


# Counts what a person does with a pointer, from the first page on.
CLICKS = "addEventListener('click', (one) => { if (one.isTrusted) window.clicks = (window.clicks ?? 0) + 1; }, true)"


@pytest.mark.drill
@pytest.mark.browser
def test_from_make_demo_to_why_in_three_clicks(browser: Browser, demo_url: str) -> None:
    first, second, _ = steps_of_the_guide()
    with visits(browser) as visit:
        page, watch = visit(demo_url.rstrip("/"))
        page.set_default_timeout(WAIT_MS)
        page.evaluate(CLICKS)
        example, why = (re.search(r"\*(\w+\??)\*(?:\*\*|\.)", one) for one in (first, second))
        assert example is not None
        assert why is not None
        page.get_by_role("button", name=example[1], exact=True).click()
        expect(page.locator("#verdict")).to_have_text("positive", timeout=WAIT_MS)
        page.get_by_role("button", name=why[1], exact=True).click()
        answer = page.locator("#view-explain .answer")
        expect(answer).to_have_attribute("data-state", "done", timeout=WAIT_MS)
        words = answer.locator(".shares button")
        blue, orange = (answer.locator(f".shares button.{kind}") for kind in ("for", "against"))
        assert {line_of(one) for one in blue.all()} == {"solid"}
        assert {line_of(one) for one in orange.all()} <= {"dotted"}
        words.filter(has_text="generous").click()
        readout = answer.locator(".readout")
        expect(readout).to_contain_text(re.compile(r"generous [+\u2212]\d\.\d\d"))
        expect(answer.get_by_text("Faithfulness")).to_be_visible()
        assert page.evaluate("clicks") == 3
        assert watch.complaints == []


@pytest.mark.drill
@pytest.mark.browser
@pytest.mark.parametrize("picture", OF_THE_DEMO, ids=lambda one: one.name)
def test_pictures_of_the_demo(browser: Browser, demo_url: str, folder: Path, picture: Picture) -> None:
    take(browser, demo_url, picture, folder)


@pytest.mark.drill
@pytest.mark.browser
def test_pictures_of_a_week(browser: Browser, demo: Demo, folder: Path, tmp_path: Path) -> None:
    """In this order: comparing answers rows, which Watch would count."""
    week = Week(demo, Workshop(tmp_path))
    with week.served() as server:
        steps = (labelling, watching, comparing(week.frozen))
        pictures = dict(zip(("studio-label", "studio-watch", "studio-compare"), steps, strict=True))
        assert sorted(pictures) == sorted(OF_THE_WEEK)
        for name, each in pictures.items():
            take(browser, server.url, Picture(name, each, end=ENDS.get(name, "")), folder)


def test_the_guide_shows_every_picture_and_there_are_no_others() -> None:
    taken = {f"{name}.png" for name in (*(one.name for one in OF_THE_DEMO), *OF_THE_WEEK)}
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    shown = {name for page in pages for name in re.findall(r"images/([\w-]+\.png)", page.read_text(encoding="utf-8"))}
    assert taken == shown == {path.name for path in (DOCS / "images").iterdir()}
