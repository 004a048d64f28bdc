"""What browsers are told on every answer, and that the files keep to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from bertline.service.app import PAGE
from bertline.service.edge.security_headers import HEADERS, SecurityHeaders
from tests.service.fronted import fronted

FILES = sorted(one for one in PAGE.rglob("*") if one.is_file())
PATHS = ["/", "/docs", "/openapi.json", "/page/page.css", "/health/live", "/nope", "/v1/predict"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert ("unsafe-inline" in policy) == (path == "/docs")
    assert "unsafe-eval" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("scheme", "max_age_s", "told"), [("https", 60, "max-age=60"), ("http", 60, None), ("https", 0, None)]
)
def test_hsts_is_sent_over_https_only(scheme: str, max_age_s: int, told: str | None) -> None:
    app = fronted(
        Response("", headers={"X-Frame-Options": "theirs", "X-Other": "kept"}), security=SecurityHeaders(max_age_s)
    )
    headers = TestClient(app, base_url=f"{scheme}://models.example.com").get("/").headers
    assert headers.get("Strict-Transport-Security") == told
    assert (headers.get_list("X-Frame-Options"), headers["X-Other"]) == (["DENY"], "kept")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_everything_a_page_names_is_there(client: TestClient, path: str) -> None:
    page = client.get(path).text
    named = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(named) >= 5
    assert {client.get(one).status_code for one in named} == {200}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_pages_files_need_no_third_party_and_no_inline_code(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    text = re.sub(r"\A/\*.*?\*/|(?m:^\s*//.*$)", "", text)  # comments may say where something is written
    assert not re.search(r"https?://|@import|\burl\(", text)
    if file.suffix == ".html":
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)", text)
    if file.suffix == ".js":
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)


def test_the_files_of_the_page_are_revalidated(client: TestClient) -> None:
    first = client.get("/page/page.css")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/page/page.css", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
