"""Models whose names have slashes, as hubs have them: on every route that names one, plain and percent-encoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import huggingface_hub
import openai
import pytest
import tritonclient.http as triton
from huggingface_hub import InferenceClient

from bertline.cli import serve
from bertline.errors import UsageError
from bertline.service import ServeSettings
from bertline.service.guard.client import Scope
from bertline.service.guard.scopes import required_scopes
from bertline.serving.model_names import fault_of
from bertline.serving.serving import Serving
from bertline.testing.words import WordCounter
from tests.service.live import live, warm

NAME, OTHER = "BAAI/bge-small", "BAAI/bge-small/int8"
LABELS = ("no", "yes")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    models = {"reviews": WordCounter(), NAME: WordCounter(LABELS), OTHER: WordCounter(("off", "on"))}
    with live(models, ServeSettings(drain_s=0)) as one:
        yield warm(one)


TENSOR = {"inputs": [{"name": "t", "shape": [1], "datatype": "BYTES", "data": ["good"]}]}
# method, path, body
ROUTES = [
    ("GET", "/v1/models/{name}", None),
    ("POST", "/v1/models/{name}:predict", {"instances": ["good"]}),
    ("GET", "/v2/models/{name}", None),
    ("GET", "/v2/models/{name}/ready", None),
    ("GET", "/v2/models/{name}/versions/{version}", None),
    ("GET", "/v2/models/{name}/versions/{version}/ready", None),
    ("POST", "/v2/models/{name}/infer", TENSOR),
    ("POST", "/v2/models/{name}/versions/{version}/infer", TENSOR),
    ("POST", "/models/{name}", {"inputs": "good"}),
    ("GET", "/models/{name}/info", None),
    ("GET", "/models/{name}/health", None),
    ("POST", "/models/{name}/pipeline/text-classification", {"inputs": "good"}),
    ("POST", "/models/{name}/pipeline/feature-extraction", {"inputs": "good"}),
    (
        "POST",
        "/models/{name}/pipeline/sentence-similarity",
        {"inputs": {"source_sentence": "good", "sentences": ["bad"]}},
    ),
    ("GET", "/admin/models/{name}", None),
]


def version_of(url: str, name: str) -> str:
    found = httpx.get(f"{url}/v1/models").json()["models"]
    return next(str(one["version"]) for one in found if one["name"] == name)


@pytest.mark.parametrize("name", [NAME, OTHER])
@pytest.mark.parametrize("written", ["/", "%2F", "%2f"])
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_every_route_takes_the_name(
    url: str, name: str, written: str, method: str, path: str, body: dict[str, object] | None
) -> None:
    """R15: the slash may be sent as it is, or percent-encoded."""
    address = path.format(name=name.replace("/", written), version=version_of(url, name))
    answer = httpx.request(method, f"{url}{address}", json=body)
    assert answer.status_code == 200, answer.text
    if "X-Model" in answer.headers:
        assert answer.headers["X-Model"] == name


def test_these_are_all_routes_that_name_a_model(url: str) -> None:
    """R15: a new route is not forgotten."""
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    named = {(method.upper(), path) for path, verbs in paths.items() if "{name}" in path for method in verbs}
    others = {("PUT", "/admin/models/{name}"), ("POST", "/admin/models/{name}/rollback")}  # tried below
    others |= {("POST", f"/v1/models/{{name}}/{kind}") for kind in ("shadow", "canary")}  # tried below
    others.add(("GET", "/v1/models/{name}/verdicts"))  # test_verdicts.py
    others.add(("GET", "/v1/models/{name}/history"))  # test_history.py
    others |= {(method, "/v1/models/{name}/rollout") for method in ("GET", "DELETE")}
    # Of other tasks: test_tasks.py, test_zero_shot.py.
    for other in ("token-classification", "fill-mask", "zero-shot-classification"):
        others.add(("POST", f"/models/{{name}}/pipeline/{other}"))
    assert named - {(method, path) for method, path, _ in ROUTES} - {("HEAD", path) for _, path in named} == others


def test_a_name_that_begins_another_is_not_taken_for_it(url: str) -> None:
    """R15: the whole of what stands between the fixed parts of an address is the name."""
    for name, label in ((NAME, "yes"), (OTHER, "on"), ("reviews", "positive")):
        [found] = httpx.post(f"{url}/v1/models/{name}:predict", json={"instances": ["good"]}).json()["predictions"]
        assert found == label
    answer = httpx.get(f"{url}/v2/models/BAAI")
    known = f"reviews, {NAME}, {OTHER}"
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        f"There is no model of that name: valid names are {known}.",
    )
    assert httpx.get(f"{url}/v2/models/BAAI%252Fbge-small").status_code == 404


def test_clients_that_ignore_the_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R15: OpenAI's, Triton's and Hugging Face's, unmodified."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nonexistent")
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        assert client.models.retrieve(NAME).id == NAME
        assert client.embeddings.create(model=NAME, input="good").model == NAME
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        assert client.is_model_ready(NAME)
        assert client.is_model_ready(NAME, version_of(url, NAME))
        assert client.get_model_metadata(OTHER)["name"] == OTHER
    found = InferenceClient(model=f"{url}/models/{NAME}").text_classification("good", top_k=1)
    assert found[0].label == "yes"


def test_metrics_have_the_name_as_a_label_and_the_route_without_it(url: str) -> None:
    """R15: a route's label is its template, whatever stands in it."""
    httpx.post(f"{url}/v2/models/{NAME}/infer", json=TENSOR)
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    assert any(line.startswith("bertline_texts_total{") and f'model="{NAME}"' in line for line in lines)
    routes = {found[1] for line in lines if (found := re.search(r'route="([^"]*)"', line))}
    assert "/v2/models/{name}/infer" in routes
    assert not [route for route in routes if ":model" in route or NAME in route]


def test_a_model_can_be_loaded_and_rolled_back_under_it(url: str) -> None:
    """R15: by the admin routes, which name it in their paths."""
    admin = f"{url}/admin/models/new/er"
    bundle = WordCounter(("a", "b"))
    loaded = httpx.put(admin, json={"bundle": str(bundle.bundle)}, timeout=60)
    assert (loaded.status_code, loaded.json()["current"]["name"]) == (200, "new/er")
    again = httpx.put(f"{url}/admin/models/new%2Fer", json={"bundle": str(WordCounter(LABELS).bundle)}, timeout=60)
    assert again.json()["previous"]["labels"] == ["a", "b"]
    assert httpx.post(f"{admin}/rollback").json()["current"]["labels"] == ["a", "b"]


def test_a_rollout_under_it_is_begun_shown_and_ended(url: str) -> None:
    """R15: by the routes that name it in their paths."""
    models = f"{url}/v1/models/{NAME}"
    for kind in ("shadow", "canary"):
        refused = httpx.post(f"{models}/{kind}", json={"bundle": "nowhere"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "cannot_load")
    assert httpx.get(f"{models}/rollout").json() is None
    assert httpx.delete(f"{models}/rollout").status_code == 409


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a/ready", "has the part 'ready', which is reserved in addresses"),
        ("a/versions/b", "has the part 'versions', which is reserved in addresses"),
        ("a//b", "has an empty part"),
        ("/a", "has an empty part"),
        ("a/", "has an empty part"),
        ("", "is empty"),
        ("a/../b", "has the part '.' or '..', which clients and proxies remove from addresses"),
        ("a\nb", "has a character that cannot be printed"),
        ("a" * 201, "has more than 200 characters"),
    ],
)
def test_a_name_that_no_address_can_have_is_refused_at_the_start(name: str, why: str) -> None:
    """R15: and not at the first request."""
    assert fault_of(name) == why
    with pytest.raises(UsageError) as caught:
        Serving({name: Path("nowhere")}, ServeSettings())
    assert str(caught.value) == f"the model name {name!r} {why}: choose another, as in NAME=BUNDLE"


@pytest.mark.parametrize("name", ["ready", "infer/a", "Käse 1", "a:b", "a.b", "org/sub/name@2"])
def test_a_name_that_an_address_can_have(name: str) -> None:
    """R15: a word of the addresses may begin a name."""
    assert fault_of(name) is None


def test_an_invalid_name_cannot_be_loaded_either(url: str) -> None:
    """R15: the admin route says it in the same words."""
    answer = httpx.put(f"{url}/admin/models/{'a' * 201}", json={"bundle": "nowhere"})
    assert answer.status_code == 422
    told = "The model name has more than 200 characters: choose another."
    assert answer.json()["error"]["message"] == told
    assert httpx.put(f"{url}/admin/models/a/ready", json={"bundle": "nowhere"}).status_code == 404  # no such address


@pytest.mark.parametrize(
    "path", ["/admin/models/a/b", "/admin/models/a/b/rollback", "/v1/models/a/b/canary", "/v1/models/a/b/rollout"]
)
def test_the_admin_routes_need_their_scope_under_any_name(path: str) -> None:
    """R15: the guard reads a path as the router does."""
    assert required_scopes(path) == {Scope.ADMIN}
    assert required_scopes("/v2/models/a/b/infer") == {Scope.PREDICT}


@pytest.mark.parametrize(
    ("argument", "name", "path"),
    [
        ("BAAI/bge-small=bundle", "BAAI/bge-small", "bundle"),
        ("a/b/c=runs/x=1", "a/b/c", "runs/x=1"),
        ("./runs/a=1", None, "runs/a=1"),
        ("../runs/a=1", None, "../runs/a=1"),
        ("/srv/a=1", None, "/srv/a=1"),
        ("~/a=1", None, "~/a=1"),
        ("BAAI/bge=./b", "BAAI/bge", "b"),
    ],
)
def test_an_arguments_first_characters_decide_between_name_and_path(argument: str, name: str | None, path: str) -> None:
    """R15: with ., / or ~ it is a path, else the name ends at the first =."""
    given, bundle = serve.named(argument)
    assert (given, Path(bundle)) == (name, Path(path))


def test_a_directory_that_was_taken_for_a_name_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R15: a path with = in it, written without ./."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "lr=1").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        serve.named_bundles(["runs/lr=1"])
    assert str(caught.value) == (
        "runs/lr=1 means the bundle 1 under the name runs/lr, and there is no such bundle: "
        "write ./runs/lr=1 for the directory of that name"
    )
