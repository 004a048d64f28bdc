"""The pages of dialects say what the server answers: what they show is asked of it again, clients' code included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import program
from tools import dialect_pages
from tools.dialect_pages import PAGES, Server, alike, serving, shown

NAMES = sorted(path.name for path in PAGES.glob("*.md"))
ROUTE = re.compile(r"^\| `((?:GET|POST|PUT|DELETE) /\S*)` \|", re.MULTILINE)
CLIENTS = {
    "own.md": "httpx",
    "hugging-face.md": "huggingface_hub",
    "text-embeddings-inference.md": "httpx",
    "openai.md": "openai",
    "open-inference-protocol.md": "tritonclient",
    "kserve-v1.md": "httpx",
    "sagemaker.md": "httpx",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    program("curl")  # the pages' own commands are run
    with serving() as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_page_matches_the_servers_current_answers(server: Server, name: str) -> None:
    page = (PAGES / name).read_text(encoding="utf-8")
    assert server.refreshed(page) == page, f"{name} is out of date: run python -m tools.dialect_pages"


@pytest.mark.slow
def test_the_docs_list_exactly_the_routes(server: Server) -> None:
    described = {route for path in PAGES.glob("*.md") for route in ROUTE.findall(path.read_text(encoding="utf-8"))}
    assert described == server.routes()
    assert len(described) > 40


@pytest.mark.slow
def test_a_wrong_example_is_detected_and_the_prose_around_it_preserved(server: Server) -> None:
    page = (
        'Before.\n\n```http\nPOST /predict\nContent-Type: application/json\n\n{"inputs": "Warm and funny."}\n```\n\n'
        '```http\nHTTP/1.1 200 OK\n\n[{"score": 0.9999, "label": "negative"}]\n```\n\nAfter.\n'
    )
    made = server.refreshed(page)
    assert re.search(r'Content-Type: application/json\n\n\[\{"score": 0\.\d{4}, "label": "positive"\}', made)
    assert made.startswith("Before.\n")
    assert made.endswith("```\n\nAfter.\n")
    assert server.refreshed(made) == made


@pytest.mark.drill
def test_the_check_names_the_page_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program("curl")
    page = tmp_path / "sagemaker.md"
    page.write_text("```http\nGET /ping\n```\n\nThe end.\n", encoding="utf-8")
    monkeypatch.setattr(dialect_pages, "PAGES", tmp_path)
    assert dialect_pages.main(["--check"]) == 1
    assert capsys.readouterr().err == "sagemaker.md is out of date: run python -m tools.dialect_pages.\n"
    assert dialect_pages.main([]) == 0
    assert page.read_text(encoding="utf-8").endswith("HTTP/1.1 200 OK\n```\n\nThe end.\n")
    assert dialect_pages.main(["--check"]) == 0


def test_there_is_a_page_for_every_dialect() -> None:
    assert set(NAMES) == set(CLIENTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_a_client_curl_answers_errors_and_differences(name: str) -> None:
    page = (PAGES / name).read_text(encoding="utf-8")
    assert f"import {CLIENTS[name]}" in page or f"from {CLIENTS[name]} import" in page
    assert "```console\n$ curl " in page
    assert len(re.findall(r"^HTTP/1\.1 2", page, re.MULTILINE)) >= 2
    assert len(re.findall(r"^HTTP/1\.1 4", page, re.MULTILINE)) >= 2
    assert ("\n## What differs from " in page) is (name != "own.md")


def test_results_of_two_machines_match_and_others_do_not() -> None:
    assert alike("0.8822 and 12", "0.8821 and 12")
    assert not alike("0.8822", "0.8722")
    assert not alike("12", "13")
    assert not alike("0.5, 0.5", "0.5")


def test_json_is_shown_for_people() -> None:
    assert shown({"a": [0.123456, 1], "b": None}) == '{"a": [0.1235, 1], "b": null}'
    assert shown([0.5] * 7) == "[0.5000, 0.5000, 0.5000, …]"
    assert (
        shown({"version": "3f", "created": 7, "model_sha": None}) == '{"version": "…", "created": …, "model_sha": null}'
    )
    assert shown(["x" * 60, "y" * 60]) == '[\n  "' + "x" * 60 + '",\n  "' + "y" * 60 + '"\n]'
