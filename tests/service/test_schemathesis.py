"""Schemathesis reads the description of the API and asks the real server what it allows, and what it does not.

For each operation it sends the cases that the description names (the edges of every field, wrong types, missing and
unknown fields, other content types and methods) and some at random; both are the same in every run.
"""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis.checks import unsupported_method
from schemathesis.core.failures import FailureGroup

from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.lifecycle.predictions.writer import PredictionWriter
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.service.guard.clients import Clients
from bertline.service.guard.issuer import Issuer
from bertline.service.guard.signing import SigningKeys
from bertline.service.guard.store import CredentialStore
from bertline.service.perimeter import Perimeter
from bertline.testing.words import WordCounter, WordFiller, WordRanker, WordTagger, serving_of
from tests.service.live import live, warm

# Whoever says that an answer is of no use after a millisecond is told so; other 5xx are errors of the server.
EXPECTED = ["2xx", "4xx", "504"]
CHECKS = (
    "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "unsupported_method",
)  # fmt: skip
EXAMPLES = int(os.environ.get("BERTLINE_FUZZ_EXAMPLES", "12"))  # of each operation
MODEL = WordCounter()
CONFIG = {
    "seed": 1,
    "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
    "phases": {"stateful": {"enabled": False}},
    "dictionaries": {"models": {"values": [MODEL.name]}, "versions": {"values": [MODEL.version]}},
    "parameters": {
        "path.name": {"dictionary": "models", "probability": 0.9},
        "path.version": {"dictionary": "versions", "probability": 0.9},
    },
    "checks": {
        "enabled": False,
        "not_a_server_error": {"enabled": True, "expected-statuses": EXPECTED},
        **{name: {"enabled": True} for name in CHECKS},
    },
}
# Nothing can be loaded or brought back here, and no model has these tasks.
NEVER_WELL = {
    "PUT /admin/models/{name}", "POST /admin/models/{name}/rollback", "POST /embed_sparse", "POST /oauth/token",
    # A server without a registry has no rollouts.
    "POST /v1/models/{name}/canary", "POST /v1/models/{name}/shadow", "DELETE /v1/models/{name}/rollout",
    "GET /v1/review/labels.csv",  # nobody has labelled a text
    "POST /v1/compare/table",  # the tables that are drawn have no column with the texts
}  # fmt: skip
# They say where a request ends, so a wrong one is refused before any route is known: tests/service/test_http1_fuzz.py.
FRAMING = ("content-length", "transfer-encoding")
OF_TAGGERS = "POST /models/{name}/pipeline/token-classification"
OF_FILLERS = "POST /models/{name}/pipeline/fill-mask"
# The other routes for embeddings are asked of a classifier, which embeds too.
OF_EMBEDDERS = ("POST /models/{name}/pipeline/zero-shot-classification", "POST /embed", "POST /v1/embeddings")
OF_RANKERS = ("POST /rerank", "POST /v1/rerank", "POST /v2/rerank")

DESCRIPTION = create_app(serving_of({"reviews": MODEL})).openapi()
schema = schemathesis.openapi.from_dict(DESCRIPTION, config=schemathesis.Config.from_dict(CONFIG))
OPERATIONS = {one.label: one for path in schema for one in schema[path].values()}
WITH_BODY = sorted(name for name, one in OPERATIONS.items() if one.method in ("post", "put"))


@schemathesis.serializer("application/jsonlines")
def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body that the description calls a string, and that Schemathesis would else leave out."""
    return str(value).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that asks for no credentials, and has an issuer of its own all the same."""
    folder = tmp_path_factory.mktemp("issuer")
    kept = PredictionSettings(url=f"sqlite:///{folder / 'predictions.db'}")
    with pytest.MonkeyPatch.context() as patch, CredentialStore(f"sqlite:///{folder / 'auth.db'}") as store:
        # Types are checked at random places of lists; in another thread, that disturbs Hypothesis while it draws.
        patch.setattr("bertline.lifecycle.predictions.writer.EVERY_S", 3600.0)
        issuer = Issuer(SigningKeys(store, "http://127.0.0.1"), Clients(store), "bertline")
        with (
            PredictionWriter(kept) as writer,
            live({"reviews": MODEL}, perimeter=Perimeter(issuer=issuer, predictions=writer)) as one,
        ):
            yield warm(one).rstrip("/")


@pytest.fixture(scope="module")
def tagger() -> Iterator[str]:
    """The URL of a server whose model finds entities."""
    with live({"reviews": WordTagger()}) as one:
        yield warm(one).rstrip("/")


@pytest.fixture(scope="module")
def filler() -> Iterator[str]:
    """The URL of a server whose model fills in words."""
    with live({"reviews": WordFiller(name="reviews")}) as one:
        yield warm(one).rstrip("/")


@pytest.fixture(scope="module")
def embedder() -> Iterator[str]:
    """The URL of a server whose model embeds texts, and so chooses among labels of the request."""
    with live({"reviews": WordCounter((), task={"task": "embed", "dimensions": [2]})}) as one:
        yield warm(one).rstrip("/")


@pytest.fixture(scope="module")
def ranker() -> Iterator[str]:
    """The URL of a server whose model ranks texts."""
    with live({"reviews": WordRanker(name="reviews")}) as one:
        yield warm(one).rstrip("/")


@pytest.fixture(scope="module")
def small() -> Iterator[str]:
    """The URL of a server that takes bodies of at most 1,024 bytes."""
    with live({"reviews": MODEL}, ServeSettings(drain_s=0, max_body_bytes=1024)) as one:
        yield warm(one).rstrip("/")


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for all requests, past any proxy."""
    with requests.Session() as one:
        one.trust_env = False
        yield one


@pytest.fixture(scope="module")
def answered() -> dict[str, set[int]]:
    """The statuses of each operation's answers."""
    return defaultdict(set)


@pytest.mark.slow
@schema.parametrize()
def test_every_response_is_described_in_openapi(
    case: schemathesis.Case[Any],
    url: str,
    tagger: str,
    filler: str,
    embedder: str,
    ranker: str,
    session: requests.Session,
    answered: dict[str, set[int]],
) -> None:
    others = {OF_TAGGERS: tagger, OF_FILLERS: filler, **dict.fromkeys(OF_RANKERS, ranker)}
    others |= dict.fromkeys(OF_EMBEDDERS, embedder)
    base = others.get(case.operation.label, url)
    page = [unsupported_method] if case.operation.label == "POST /" else []  # GET / is the page, for people
    for name in FRAMING:
        case.headers.pop(name, None)
    response = case.call_and_validate(base_url=base, session=session, excluded_checks=page)
    answered[case.operation.label].add(response.status_code)


@pytest.mark.slow
def test_every_operation_was_answered_well_and_refused_too(answered: dict[str, set[int]]) -> None:
    if set(answered) != set(OPERATIONS):
        pytest.skip("looks at the answers to all operations, and only some were asked")
    assert {name for name, found in answered.items() if 200 not in found} == NEVER_WELL
    assert not [name for name in WITH_BODY if not answered[name] & {400, 409, 422, 424}]


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_that_is_too_large_is_refused_in_a_described_shape(
    small: str, session: requests.Session, name: str
) -> None:
    operation = OPERATIONS[name]
    path = operation.path.format(name=MODEL.name, version=MODEL.version)
    response = session.request(operation.method, small + path, data=b"x" * 1025)
    assert response.status_code == 413
    operation.validate_response(response)


def test_an_answer_that_is_not_described_is_found(url: str, session: requests.Session) -> None:
    lacking = copy.deepcopy(DESCRIPTION)
    del lacking["paths"]["/v1/models/{name}"]["get"]["responses"]["404"]
    described = schemathesis.openapi.from_dict(lacking, config=schemathesis.Config.from_dict(CONFIG))
    case = described["/v1/models/{name}"]["GET"].Case(path_parameters={"name": "films"})
    with pytest.raises(FailureGroup, match="1 distinct failure") as caught:
        case.call_and_validate(base_url=url, session=session)
    assert [type(one).__name__ for one in caught.value.exceptions] == ["UndefinedStatusCode"]
