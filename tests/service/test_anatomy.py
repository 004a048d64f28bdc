"""Anatomies over HTTP, by the server's own workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bertline.library import load
from bertline.service import ServeSettings
from bertline.serving.scheduler import Scheduler
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import WordCounter
from tests.service.live import live, warm
from tests.service.spawn import Spawned, spawned

TEXT = "it is a zoo, long"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "reviews"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Spawned]:
    with spawned(str(bundle)) as one:
        warm(one.url)
        yield one


def post(url: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return httpx.post(f"{url.rstrip('/')}/v1/anatomy", json=body, headers=headers, timeout=60)


def test_a_real_server_shows_what_the_library_shows(server: Spawned, bundle: Path) -> None:
    answer = post(server.url, text=TEXT, layer=1, head=2, token=3, window=2)
    assert answer.status_code == 200, answer.text
    found, own = answer.json(), load(bundle).anatomy(TEXT, layer=1, head=2, token=3, window=2).to_json()
    assert found.pop("model")["name"] == "reviews"
    assert found.keys() == own.keys()
    np.testing.assert_allclose(found["attentions"], own["attentions"], atol=1e-5)
    assert [(one["name"], one["says"]) for one in found["steps"]] == [
        (one["name"], one["says"]) for one in own["steps"]
    ]
    assert found["tokens"] == own["tokens"]
    assert [one["text"] for one in found["parts"]["windows"]] == [one["text"] for one in own["parts"]["windows"]]
    assert answer.headers["Cache-Control"] == "no-store"


def test_without_parts_the_model_is_not_asked_about_them(server: Spawned) -> None:
    assert post(server.url, text=TEXT, parts=False).json()["parts"] is None


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"text": TEXT, "layer": 2}, "layer", "There is no layer 2: choose one from 0 to 1."),
        ({"text": TEXT, "head": 7}, "head", "There is no head 7: choose one from 0 to 3."),
        ({"text": TEXT, "token": 99}, "token", "There is no token 99: choose one from 0 to 12."),
        ({"text": TEXT, "layer": -1}, "layer", "layer must be at least 0."),
        ({"text": "a " * 63}, "text", "The text has 65 tokens and an anatomy shows 64: give a single sentence."),
        ({"text": " "}, "text", "The text has no word that the model reads: give one with letters or digits."),
        ({"text": TEXT, "text_pair": "so"}, "text_pair", "reviews reads single texts: send no text_pair."),
    ],
)
def test_what_cannot_be_shown(server: Spawned, body: dict[str, Any], field: str, message: str) -> None:
    answer = post(server.url, **body)
    assert answer.status_code == 422, answer.text
    assert (answer.json()["error"]["field"], answer.json()["error"]["message"]) == (field, message)


def test_no_text_can_be_put_into_an_address(server: Spawned) -> None:
    answer = httpx.get(f"{server.url.rstrip('/')}/v1/anatomy", params={"text": TEXT})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_bundle_without_the_graph_names_the_remedy(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "old", engine=True, attentions=False)
    with spawned(str(tmp_path / "old")) as old:
        answer = post(warm(old.url), text="a film")
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == (
        "old has no attentions.onnx, which shows what its layers compute: run bertline optimize on its bundle where "
        "PyTorch is installed, and load it again."
    )


def test_it_waits_while_requests_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with live({"reviews": WordCounter()}, ServeSettings(drain_s=0)) as url:
        assert post(warm(url), text="good film").json()["heads"] == 2
        monkeypatch.setattr(Scheduler, "waiting", True)
        answer = post(url, {"X-Request-Timeout-Ms": "200"}, text="good")
    assert answer.status_code == 504
    assert "busy with other requests" in answer.text
