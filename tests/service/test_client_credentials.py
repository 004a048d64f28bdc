"""R18: what the pages of dialects say of the credentials that other people's clients send, tried with those clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub.constants
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from openai import AuthenticationError, OpenAI

from bertline.testing.tiny import write_tiny_bundle
from tests.service.spawn import Spawned, spawned
from tests.service.test_perimeter import bertline

PAGES = Path(__file__).parents[2] / "docs/guide/dialects"
TOKEN = "hf_canary4711canary4711canary4711cana"
TEXT = "it is a film"


@dataclass
class Both:
    """The same model, served without authentication and with it."""

    open: Spawned
    guarded: Spawned
    key: str


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    database = f"sqlite:///{folder / 'auth.db'}"
    write_tiny_bundle(folder / "tiny", engine=True)
    key = bertline("auth", "key", "add", "report", "--scope", "predict", "--database", database).strip()
    common = (str(folder / "tiny"), "--drain-s", "0", "--logs-format", "json")
    with spawned(*common) as without, spawned(*common, "--auth-database", database) as guarded:
        yield Both(without, guarded, key)


@pytest.fixture(autouse=True)
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has logged in to Hugging Face on this machine."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def labels(url: str, token: str | None = None) -> int:
    return len(InferenceClient(model=url, token=token).text_classification(TEXT))


def vectors(url: str, key: str) -> int:
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        return len(client.embeddings.create(model="tiny", input=TEXT).data)


def said(page: str) -> str:
    return " ".join((PAGES / page).read_text(encoding="utf-8").split())


def test_without_auth_no_token_is_looked_at(both: Both) -> None:
    """R18: neither the one that is found, nor one that is given, nor nonsense."""
    for token in (None, TOKEN, both.key, "not-a-token"):
        assert labels(both.open.url, token) == 3
    for key in ("none", "sk-anything", both.key):
        assert vectors(both.open.url, key) == 1
    assert "A server without `[auth]` ignores it." in said("hugging-face.md")
    assert "A server without `[auth]` ignores it." in said("openai.md")


@pytest.mark.parametrize("token", [None, TOKEN, "bl_nonsense"])
def test_with_auth_a_token_of_hugging_face_is_refused(both: Both, token: str | None) -> None:
    """R18: the client sends the one that it finds, unasked; so the refusal is that of a wrong credential."""
    with pytest.raises(HfHubHTTPError) as refused:
        labels(both.guarded.url, token)
    assert refused.value.response.status_code == 401
    assert 'error="invalid_token"' in refused.value.response.headers["WWW-Authenticate"]
    assert "A server with `[auth]` returns 401" in said("hugging-face.md")


@pytest.mark.parametrize("key", ["none", "sk-proj-canary4711", "bl_nonsense"])
def test_with_auth_a_key_of_openai_is_refused(both: Both, key: str) -> None:
    """R18: what the page's example sends, what people have, and a mistyped key of ours."""
    with pytest.raises(AuthenticationError) as refused:
        vectors(both.guarded.url, key)
    assert refused.value.status_code == 401
    assert key not in str(refused.value)
    assert "A server with `[auth]` returns 401" in said("openai.md")


def test_with_auth_the_clients_take_a_key_of_the_servers(both: Both) -> None:
    """R18: as the pages name it, ``token="bl_…"`` and ``api_key="bl_…"``."""
    assert labels(both.guarded.url, both.key) == 3
    assert vectors(both.guarded.url, both.key) == 1
    assert 'token="bl_…"' in said("hugging-face.md")
    assert 'api_key="bl_…"' in said("openai.md")


def test_no_token_is_logged(both: Both) -> None:
    """R18: on either server, answered or refused."""
    labels(both.open.url)
    with pytest.raises(HfHubHTTPError):
        labels(both.guarded.url)
    for server in (both.open, both.guarded):
        assert "POST" in server.errors()
        assert "canary4711" not in server.errors()
        assert both.key[12:] not in server.errors()
