"""The request for programs: what the page shows is run, and the server gets what was typed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bertline.testing.words import WordCounter
from tests.nightly import mostly_nightly
from tests.programs import program
from tests.service.browsing import Visit
from tests.service.live import live

pytestmark = pytest.mark.browser

NASTY = [
    "it's \"good\" \\ \\n \\u0041 $HOME `ls` %d !! </script><!-- 'a''b' \\",
    "two\nlines\tand a tab",
    "naïve 東京 🙂 \u2028 \u2029 \u00a0",
    "'''\"\"\"${body}",
    "-d @/etc/passwd",
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live({"reviews": WordCounter(), "others": WordCounter(name="others")}) as one:
        yield one


@contextmanager
def recorder() -> Iterator[tuple[str, list[Any]]]:
    """A server that keeps what it is sent, as (content type, body)."""
    kept: list[Any] = []

    class Keeps(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.append((self.headers["Content-Type"], json.loads(body)))
            answer = b'{"predictions": [{"label": "positive", "probabilities": []}]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Keeps) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", kept
        finally:
            server.shutdown()
            thread.join(timeout=30)


def shown(page: Page, language: str, text: str) -> str:
    """The program for a text, which need not be sent."""
    expect(page.locator("#model-choice")).to_be_visible()
    page.fill("#text", text)
    page.get_by_role("tab", name=language).click()
    return page.locator("#code").text_content() or ""


@pytest.mark.parametrize("text", mostly_nightly(NASTY, always=1))
def test_the_curl_line_sends_what_was_typed(visit: Visit, url: str, text: str) -> None:
    program("curl")
    page, _ = visit(url)
    with recorder() as (elsewhere, kept):
        line = shown(page, "curl", text).replace(url, elsewhere)
        subprocess.run(["sh", "-c", line], check=True, capture_output=True, timeout=60)
    assert kept == [("application/json", {"text": text, "model": "reviews"})]


@pytest.mark.parametrize("text", mostly_nightly(NASTY, always=1))
def test_the_python_program_sends_what_was_typed(visit: Visit, url: str, text: str) -> None:
    page, _ = visit(url)
    with recorder() as (elsewhere, kept):
        program = shown(page, "Python", text).replace(url, elsewhere)
        done = subprocess.run(
            [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True, timeout=60
        )
    assert kept == [("application/json", {"text": text, "model": "reviews"})]
    assert done.stdout == "positive []\n"


@pytest.mark.parametrize("text", mostly_nightly(NASTY, always=1))
def test_the_javascript_program_sends_what_was_typed(visit: Visit, url: str, text: str) -> None:
    page, watch = visit(url)
    program = shown(page, "JavaScript", text)
    with page.expect_request("**/v1/predict") as sent, page.expect_console_message() as said:
        page.evaluate(f"(async () => {{\n{program}\n}})()")
    assert sent.value.post_data_json == {"text": text, "model": "reviews"}
    assert sent.value.headers["content-type"] == "application/json"
    assert said.value.text.startswith("negative")
    assert watch.complaints == [said.value.text]


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
def test_it_follows_the_selection(visit: Visit, url: str, language: str) -> None:
    page, _ = visit(url)
    code = page.locator("#code")
    shown(page, language, "")
    expect(code).to_contain_text("A text to classify")
    page.fill("#text", "one\ntwo")
    expect(code).to_contain_text(r"one\ntwo")
    page.get_by_role("radio", name="Several").check()
    page.get_by_label("Model", exact=True).select_option("others")
    page.get_by_label("If too long, read").select_option("tail")
    expect(code).not_to_contain_text(r"one\ntwo")
    for part in ("texts", "one", "two", "others", "truncation", "tail", url):
        expect(code).to_contain_text(part)


def test_copy_says_that_it_did(visit: Visit, url: str) -> None:
    page, _ = visit(url, permissions=["clipboard-read", "clipboard-write"])
    program = shown(page, "Python", "good")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == program
    expect(page.locator("#copy")).to_have_text("Copy")


def test_a_long_program_is_shown_in_part_and_copied_whole(visit: Visit, url: str) -> None:
    page, _ = visit(url, permissions=["clipboard-read", "clipboard-write"])
    text = "good " * 4000
    assert len(shown(page, "curl", text)) < 4100
    expect(page.get_by_text("Shortened here; Copy takes the whole request.")).to_be_visible()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    assert json.dumps(text) in page.evaluate("navigator.clipboard.readText()")


def test_the_arrows_go_from_one_language_to_the_next(visit: Visit, url: str) -> None:
    page, _ = visit(url)
    page.get_by_role("tab", name="curl").focus()
    for key, language in (
        ("ArrowRight", "Python"),
        ("End", "JavaScript"),
        ("ArrowRight", "curl"),
        ("ArrowLeft", "JavaScript"),
    ):
        page.keyboard.press(key)
        tab = page.get_by_role("tab", name=language)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tabpanel", name=language)).to_be_visible()
