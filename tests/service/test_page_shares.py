"""What Explain says of shares that a server of ours seldom gives, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from bertline.testing.words import WordCounter
from tests.service.browsing import Visit
from tests.service.live import live, warm
from tests.service.test_page_explain import TEXT, answer, of_the_server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter(max_tokens=32)}) as one:
        yield warm(one)


def test_what_cannot_fall_is_not_called_unfaithful(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#explain")
    found = of_the_server(url, label="negative")
    found |= {"shown": 0.02, "faithfulness": {"comprehensiveness": 0.01, "sufficiency": 0.0}}
    page.route("**/v1/explain", lambda route: route.fulfill(json=found))
    page.fill("#explain-text", TEXT)
    page.keyboard.press("Control+Enter")
    said = (
        "Faithfulness negative is improbable here, so its probability can hardly fall, and this says little: without "
    )
    expect(answer(page).locator(".faithful")).to_contain_text(said)


def test_shares_of_a_number_have_digits_of_its_size(visit: Visit, url: str) -> None:
    page, _ = visit(url, "/#explain")
    found = of_the_server(url, method="partition")
    words = [{**one, "share": share} for one, share in zip(found["words"], (0.00123, -45678.9), strict=False)]
    found |= {"unit": "number", "words": words, "base": 1.5, "value": 12345.6, "shown": 12345.6}
    page.route("**/v1/explain", lambda route: route.fulfill(json=found))
    page.fill("#explain-text", TEXT)
    page.keyboard.press("Control+Enter")
    cells = answer(page).locator(".figures tbody td")
    expect(cells).to_have_text(["\N{MINUS SIGN}45,680", "+0.00123"])
    expect(answer(page).locator(".measures dd")).to_have_text(["1.5", "+12,340", "12,350"])
