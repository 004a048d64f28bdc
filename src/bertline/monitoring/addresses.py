"""The addresses of the service, each declared once.

The guard reads the scope that each one needs from this table, the edge which requests may be shed and which are probes,
traces and the log the same, and the alerts which routes ask a model something. A route of the app that is missing here
is an error when the app is made; a test finds a row without a route.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Address:
    """One path, as a template, which is also its name in metrics, traces and log lines.

    Attributes:
        methods: that it answers; HEAD comes with GET.
        template: with ``{name}`` for a model and ``{version}`` for its version.
        scope: that a client needs; None: it is open to everybody.
        model: a POST asks a model something, so that it counts in the objectives.
        output: of the network, or ``ANSWER``: the one that answers of the model's task are made from. None where the
            body says which.
        shed: such a request may be refused from its head alone while the queue is full.
        probe: something asks it every few seconds, for ever.
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
    # The page, and Hugging Face's root, which a POST asks.
    Address("GET POST", "/", model=True, browsed=True),
    *_shows("/docs", "/openapi.json", browsed=True),
    *_shows("/page"),
    # Our own.
    *_asks("/v1/predict", output=ANSWER, shed=True),
    *_asks("/v1/tokenize"),
    *_shows("/v1/models", "/v1/models/{name}"),
    Address("GET PUT", "/admin/models/{name}", "admin"),
    Address("POST", "/admin/models/{name}/rollback", "admin"),
    Address("GET", "/metrics", "metrics", probe=True),
    # Whoever starts, stops or balances asks these and has no credential; they tell nothing but up or down.
    *_open("/livez", "/readyz", "/health", "/health/live", "/health/ready", "/ping", probe=True),
    *_open("/v2/health/live", "/v2/health/ready", probe=True),
    # How a credential is obtained and checked: the first asks for a client's secret itself, the others publish public
    # keys (RFC 8414, RFC 7517).
    *_open("/oauth/token", methods="POST"),
    *_open("/.well-known/jwks.json", "/.well-known/oauth-authorization-server"),
    # OpenAI and vLLM.
    *_asks("/v1/embeddings", output="embedding", shed=True),
    *_asks("/embeddings", output="embedding"),
    *_asks("/classify", output="logits", shed=True),
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
    *_asks("/models/{name}/pipeline/feature-extraction", output="embedding"),
    *_asks("/models/{name}/pipeline/sentence-similarity", output="embedding"),
)

BY_TEMPLATE = {one.template: one for one in ADDRESSES}
PROBES = frozenset(one.template for one in ADDRESSES if one.probe)
OPEN_PROBES = frozenset(one.template for one in ADDRESSES if one.probe and one.scope is None)
BROWSED = frozenset(one.template for one in ADDRESSES if one.browsed)
SHED = {one.template: one.output for one in ADDRESSES if one.shed and one.output is not None}
# A regular expression of the templates that ask a model something, as Prometheus reads it.
MODEL_ROUTES = "|".join(re.sub(r"\{[a-z]+\}", "[^/]+", one.template) for one in ADDRESSES if one.model)


def answering(output: str) -> list[str]:
    """The templates that answer with an output of the network, or with a model's own answer.

    >>> answering("tags")
    ['/v1/predict', '/v1/models/{name}:predict', '/invocations', '/models/{name}/pipeline/token-classification']
    """
    return [one.template for one in ADDRESSES if one.output in (ANSWER, output)]
