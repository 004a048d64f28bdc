"""The pictures of the page in the guide: the steps to each, and what a picture must be to be shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from tests.service.browsing import Watch

TEXT = "A quiet, generous film that trusts its actors; by the last scene you have forgotten the clock."
SENTENCE = "I liked the movie, but hated the score."
SCANNED = [
    "the movie is gorgeously made, but it is also somewhat shallow",
    "It isn't a film for everyone, and I didn't expect anything.",
    "a mess, but it's a sincere mess",
    "compelling revenge thriller, though somewhat weakened by its leading lady",
    "Amanda saw it in Boston and thought it was wonderful.",
    "strong filmmaking requires a clear sense of purpose",
]
WAIT_MS = 120_000
WIDE, NARROW = 900, 360
MARGIN = 12
LARGEST_BYTES = 300_000


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        name: of its file.
        steps: from the open page to what is shown.
        scheme: light or dark.
        width: of the window, in CSS pixels.
        top: selector of what the picture begins with, if not the page.
        end: selector of what it ends below, if not the page.
        height: of the picture in place of an end.
    """

    name: str
    steps: Callable[[Page], object]
    scheme: str = "light"
    width: int = WIDE
    top: str = ""
    end: str = ""
    height: int = 0


# ---------------------------------------------------------------------------------------------------- steps


def _view(page: Page, name: str) -> Locator:
    page.get_by_role("link", name=name, exact=True).click()
    return page.get_by_role("region", name=name, exact=True)


def answered(page: Page) -> None:
    """Try, with an answer."""
    page.fill("#text", TEXT)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_have_attribute("data-state", "done", timeout=WAIT_MS)


def explained(page: Page) -> None:
    """Explain, from that answer, with the numbers of a word."""
    answered(page)
    page.get_by_role("button", name="Why?").click()
    answer = page.locator("#view-explain .answer")
    expect(answer).to_have_attribute("data-state", "done", timeout=WAIT_MS)
    answer.locator(".shares button").filter(has_text="generous").focus()


def inside(page: Page) -> None:
    """Anatomy, of one sentence, at all heads and one of them in full."""
    view = _view(page, "Anatomy")
    view.get_by_label("Sentence").fill(SENTENCE)
    page.keyboard.press("Control+Enter")
    expect(view.locator(".way")).to_have_attribute("data-state", "done", timeout=WAIT_MS)


def labelling(page: Page) -> None:
    """Label, with its first text and what the model says of it."""
    view = _view(page, "Label")
    view.get_by_label("Your name").fill("Ana")
    page.keyboard.press("Enter")
    expect(view.locator(".text p").first).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("m")


def scanned(page: Page) -> None:
    """Scan, with a probe that is opened."""
    view = _view(page, "Scan")
    view.get_by_label("Texts, one per line").fill("\n".join(SCANNED))
    view.get_by_role("button", name=re.compile("^Scan")).click()
    expect(view.locator(".answer")).to_have_attribute("data-state", "done", timeout=WAIT_MS)
    view.locator(".probes summary").first.click()


def watching(page: Page) -> None:
    """Watch, with every card filled and every line drawn."""
    view = _view(page, "Watch")
    for title in ("Versions", "Rollout", "Live accuracy", "This server since its start"):
        expect(view.get_by_role("region", name=title).locator("dl, table").first).to_be_visible(timeout=WAIT_MS)
    expect(view.locator(".of-history canvas")).to_have_count(4, timeout=WAIT_MS)


def comparing(table: Path) -> Callable[[Page], None]:
    """Compare, on a table: the champion, and the challenger of a rollout."""

    def steps(page: Page) -> None:
        view = _view(page, "Compare")
        view.get_by_role("radio", name="CSV file").check()
        view.locator("input[type=file]").set_input_files(table)
        view.get_by_role("button", name="Compare on").click()
        expect(view.locator("#compare-rows")).to_be_visible(timeout=5 * WAIT_MS)
        expect(view.locator(".chart canvas").nth(1)).to_be_visible(timeout=WAIT_MS)

    return steps


# ---------------------------------------------------------------------------------------------------- taking


def take(browser: Browser, url: str, picture: Picture, folder: Path) -> Path:
    """Take a picture of the page, once it rests and says nothing wrong; it must be one to show.

    Args:
        browser: that shows the page.
        url: of the server.
        picture: what is taken.
        folder: where ``NAME.png`` is written.
    """
    with _opened(browser, url, picture) as page:
        picture.steps(page)
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.wait_for_function(RESTS, timeout=WAIT_MS)
        assert page.get_by_role("alert").filter(visible=True).all_inner_texts() == []
        assert page.evaluate(BROKEN) == [], "names are broken"
        path = folder / f"{picture.name}.png"
        page.screenshot(path=path, full_page=True, animations="disabled", clip=_part(page, picture))
        look_at(page, path, picture)
    return path


def _part(page: Page, picture: Picture) -> FloatRect:
    """What is shown of the page."""
    box = page.locator(picture.top or "body").first.bounding_box()
    assert box is not None
    top, bottom = box["y"], page.evaluate("document.documentElement.scrollHeight")
    if picture.height:
        bottom = top + picture.height
    elif picture.end:
        last = page.locator(picture.end).first.bounding_box()
        assert last is not None
        bottom = last["y"] + last["height"] + MARGIN
    return FloatRect(x=0, y=top, width=picture.width, height=round(bottom - top))


@contextmanager
def _opened(browser: Browser, url: str, picture: Picture) -> Iterator[Page]:
    viewport = {"width": picture.width, "height": 740}
    with browser.new_context(
        viewport=viewport,  # type: ignore[arg-type]
        color_scheme=picture.scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    ) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        watch = Watch(url.rstrip("/"))
        watch.over(page)
        page.goto(url)
        yield page
        assert (watch.foreign, watch.complaints) == ([], [])


RESTS = """() => {
  const seen = (one) => one.checkVisibility();
  const busy = [...document.querySelectorAll("[aria-busy=true], [data-state=reading], [data-state=waiting], .reading")];
  const words = [...document.querySelectorAll("main p")].filter((one) => /^(Looking|Reading)…/.test(one.textContent));
  const moving = document.getAnimations().some((one) => one.playState === "running");
  return document.fonts.status === "loaded" && !moving && ![...busy, ...words].some(seen);
}"""

# Words of up to 14 characters in the cells of tables that are broken into lines.
BROKEN = """() => {
  const lines = (one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom / 8))).size;
  };
  const cells = [...document.querySelectorAll("main :is(th, td)")].filter((one) => one.checkVisibility());
  return cells.filter((one) => /^\\S{1,14}$/.test(one.textContent) && lines(one) > 1).map((one) => one.textContent);
}"""

# Width, height, brightness of the ground (0 to 1), number of colours, share of the pixels beside the commonest colour.
MEASURED = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const drawing = new OffscreenCanvas(image.width, image.height).getContext("2d");
  drawing.drawImage(image, 0, 0);
  const pixels = new Uint32Array(drawing.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const one of pixels) counts.set(one, (counts.get(one) ?? 0) + 1);
  const ground = pixels[0];
  const light = ((ground & 255) + ((ground >> 8) & 255) + ((ground >> 16) & 255)) / (3 * 255);
  return [image.width, image.height, light, counts.size, 1 - Math.max(...counts.values()) / pixels.length];
}"""


def look_at(page: Page, path: Path, picture: Picture) -> None:
    """A picture has its size and its scheme, and shows something."""
    content = path.read_bytes()
    assert len(content) < LARGEST_BYTES, f"{path.name} has {len(content):,} bytes"
    width, height, light, colours, drawn = page.evaluate(MEASURED, base64.b64encode(content).decode())
    assert width == picture.width, f"{path.name} is {width} pixels wide: something is wider than the window"
    assert height == picture.height if picture.height else 400 < height < 4000, (path.name, height)
    assert light < 0.2 if picture.scheme == "dark" else light > 0.8, (path.name, light)
    assert colours > 100, (path.name, colours)
    assert drawn > 0.1, (path.name, drawn)
