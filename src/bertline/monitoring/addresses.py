"""The paths of the service, each declared once.

Guard, load shedding, traces, log and alerts read this table. A route of the app that is missing here is an error when
the app is created; a test finds a row without a route.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Address:
    """One path.

    Attributes:
        methods: allowed methods; GET includes HEAD.
        template: the path with ``{name}`` and ``{version}`` of a model; also the name in metrics, traces and log lines.
        scope: required of the client; None: public.
        model: a POST is a request to a model, so it counts in the objectives.
        output: of the network, or ``ANSWER``: the output of the model's task. None if the body decides.
        shed: may be refused from its head alone while the queue is full.
        probe: is polled every few seconds.
        browsed: people open it in a browser.
    """

    methods: str
    template: str
    scope: str | None = "predict"
    model: bool = False
    output: str | None = None
    shed: bool = False
    probe: bool = False
    browsed: bool = False


def _asks(*templates: str, output: str | None = None, shed: bool = False) -> Iterator[Address]:
    for template in templates:
        yield Address("POST", template, model=True, output=output, shed=shed)


def _shows(*templates: str, scope: str = "predict", browsed: bool = False) -> Iterator[Address]:
    for template in templates:
        yield Address("GET", template, scope, browsed=browsed)


def _open(*templates: str, methods: str = "GET", probe: bool = False) -> Iterator[Address]:
    for template in templates:
        yield Address(methods, template, None, probe=probe)


ADDRESSES: tuple[Address, ...] = (
    # The page (GET), and Hugging Face's root (POST).
    Address("GET POST", "/", model=True, browsed=True),
    *_shows("/docs", "/openapi.json", browsed=True),
    *_shows("/page"),
    # Our own.
    *_asks("/v1/predict", output=ANSWER, shed=True),
    *_asks("/v1/tokenize"),
    Address("POST", "/v1/explain", "explain"),
    Address("POST", "/v1/anatomy", "explain"),
    Address("GET POST", "/v1/compare", "explain"),
    Address("POST", "/v1/compare/table", "explain"),
    Address("GET POST", "/v1/scan", "explain"),
    *_shows("/v1/models", "/v1/models/{name}"),
    *_shows("/v1/models/{name}/verdicts", scope="explain"),
    *_shows("/v1/models/{name}/history", scope="metrics"),
    Address("GET POST", "/v1/feedback", "feedback"),
    Address("POST", "/v1/feedback/withdraw", "feedback"),
    Address("GET POST", "/v1/review", "review"),
    Address("POST", "/v1/review/skip", "review"),
    Address("GET", "/v1/review/texts", "review"),
    Address("GET", "/v1/review/labels.csv", "review"),
    Address("GET PUT", "/admin/models/{name}", "admin"),
    Address("POST", "/admin/models/{name}/rollback", "admin"),
    Address("POST", "/v1/models/{name}/shadow", "admin"),
    Address("POST", "/v1/models/{name}/canary", "admin"),
    Address("GET DELETE", "/v1/models/{name}/rollout", "admin"),
    Address("GET", "/metrics", "metrics", probe=True),
    # For supervisors and load balancers without a credential; the responses reveal only up or down.
    *_open("/livez", "/readyz", "/health", "/health/live", "/health/ready", "/ping", probe=True),
    *_open("/v2/health/live", "/v2/health/ready", probe=True),
    # For obtaining and verifying tokens: the first authenticates the client itself, the others publish public keys
    # (RFC 8414, RFC 7517).
    *_open("/oauth/token", methods="POST"),
    *_open("/.well-known/jwks.json", "/.well-known/oauth-authorization-server"),
    # OpenAI and vLLM.
    *_asks("/v1/embeddings", output="embedding", shed=True),
    *_asks("/embeddings", output="embedding"),
    *_asks("/classify", output="logits", shed=True),
    # Cohere.
    *_asks("/v1/rerank", "/v2/rerank"),
    # KServe, the Open Inference Protocol, SageMaker.
    *_asks("/v1/models/{name}:predict", "/invocations", output=ANSWER),
    *_asks("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"),
    *_shows("/v2", "/v2/models", "/v2/models/{name}", "/v2/models/{name}/versions/{version}"),
    *_shows("/v2/models/{name}/ready", "/v2/models/{name}/versions/{version}/ready"),
    # text-embeddings-inference.
    *_asks("/predict", output="logits", shed=True),
    *_asks("/embed", output="embedding", shed=True),
    *_asks("/embed_all", output="states"),
    *_asks("/similarity", output="embedding"),
    *_asks("/embed_sparse", "/rerank", "/tokenize", "/decode"),
    *_shows("/info", "/models/{name}/info", "/models/{name}/health"),
    # Hugging Face.
    *_asks("/models/{name}"),
    *_asks("/models/{name}/pipeline/text-classification", output="logits"),
    *_asks("/models/{name}/pipeline/token-classification", output="tags"),
    *_asks("/models/{name}/pipeline/fill-mask", output="vocabulary"),
    *_asks("/models/{name}/pipeline/zero-shot-classification"),
    *_asks("/models/{name}/pipeline/feature-extraction", output="embedding"),
    *_asks("/models/{name}/pipeline/sentence-similarity", output="embedding"),
)

BY_TEMPLATE = {one.template: one for one in ADDRESSES}
PROBES = frozenset(one.template for one in ADDRESSES if one.probe)
OPEN_PROBES = frozenset(one.template for one in ADDRESSES if one.probe and one.scope is None)
BROWSED = frozenset(one.template for one in ADDRESSES if one.browsed)
SHED = {one.template: one.output for one in ADDRESSES if one.shed and one.output is not None}
# A regular expression for Prometheus of the templates of requests to a model.
MODEL_ROUTES = "|".join(re.sub(r"\{[a-z]+\}", "[^/]+", one.template) for one in ADDRESSES if one.model)


def answering(output: str) -> list[str]:
    """The templates of requests for an output of the network, or for the answer of the model's task.

    >>> answering("tags")
    ['/v1/predict', '/v1/models/{name}:predict', '/invocations', '/models/{name}/pipeline/token-classification']
    """
    return [one.template for one in ADDRESSES if one.output in (ANSWER, output)]
