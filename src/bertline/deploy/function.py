"""A bundle as a function of AWS Lambda: ``python -m bertline.deploy.function BUNDLE`` in the image of the server.

The platform stops a function between two requests, so nothing runs beside them: no HTTP server, no worker process, one
lane. Requests are ``{"text": …}`` or ``{"texts": […]}``, by themselves or as the body of an HTTP event (function URL,
API Gateway); answers are those of ``POST /v1/predict``. The loop speaks Lambda's runtime API
(https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) with the standard library, because a cold start has
to import whatever it is made of.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertline.errors import BertlineError, UsageError

if TYPE_CHECKING:
    from bertline.inference.predictor import TextClassifier

API = "/2018-06-01/runtime"
MAX_TEXTS, MAX_CHARS = 128, 50_000  # of a request, as the server's defaults

Handler = Callable[[Any, object], Any]


class BadRequest(BertlineError):
    """The event cannot be answered; the message says why."""


class RuntimeFailed(BertlineError):
    """The platform's runtime API cannot be used any more."""


def make_handler(bundle: Path) -> Handler:
    """The handler of a bundle, ``handler(event, context)``, warmed up by the probes that check its engine.

    Raises:
        BundleError: it is damaged, or none of its engines works here.
    """
    from bertline.inference.load import load_predictor

    predictor = load_predictor(bundle, lanes=1)

    def handler(event: Any, context: object) -> Any:
        if not isinstance(event, dict) or "requestContext" not in event:
            return _answer(predictor, event)
        try:
            return _http(200, _answer(predictor, _body(event)))
        except BadRequest as error:
            return _http(422, {"error": {"code": "invalid_request", "message": str(error), "field": None}})

    return handler


def serve(handler: Handler, address: str, *, requests: int | None = None) -> None:
    """Answer the events of a runtime API.

    Args:
        handler: answers one; its error becomes the event's.
        address: ``host:port``, from ``AWS_LAMBDA_RUNTIME_API``.
        requests: how many to answer; None: until the process is ended.
    """
    answered = 0
    with closing(HTTPConnection(address)) as connection:
        while requests is None or answered < requests:
            request, event = _exchange(connection, "GET", "invocation/next")
            try:
                path, answer = "response", handler(json.loads(event), None)
            except Exception as error:  # of this event alone
                path, answer = "error", _failure(error)
            _exchange(connection, "POST", f"invocation/{request}/{path}", answer)
            answered += 1


def main(bundle: str) -> None:
    """Load the bundle and answer; a bundle that cannot be loaded is reported to the platform."""
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if address is None:
        raise UsageError("there is no AWS_LAMBDA_RUNTIME_API: Lambda or its emulator starts this command")
    try:
        handler = make_handler(Path(bundle))
    except BertlineError as error:
        with closing(HTTPConnection(address)) as connection:
            _exchange(connection, "POST", "init/error", _failure(error))
        raise
    serve(handler, address)


def _exchange(connection: HTTPConnection, method: str, path: str, content: object = None) -> tuple[str, bytes]:
    """Id and content of what the runtime API answers.

    Raises:
        RuntimeFailed: it cannot say what comes next; the platform expects that the function ends then.
    """
    body = None if method == "GET" else json.dumps(content, ensure_ascii=False).encode()
    connection.request(method, f"{API}/{path}", body, {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    content, request = response.read(), response.headers.get("Lambda-Runtime-Aws-Request-Id", "")
    if method == "GET" and not (response.status == 200 and request):
        raise RuntimeFailed(f"the runtime API answered {response.status} instead of an event: start the function again")
    return request, content


def _failure(error: Exception) -> dict[str, str]:
    """An error as Lambda has it; that of a program's fault has no text of the request."""
    known = isinstance(error, BertlineError)
    return {
        "errorType": type(error).__name__,
        "errorMessage": str(error) if known else "the request cannot be computed",
    }


def _answer(predictor: TextClassifier, event: Any) -> dict[str, Any]:
    answers = predictor.predict(_texts(event))
    model = {"name": predictor.name, "version": predictor.version}
    return {"model": model, "predictions": [one.to_json() for one in answers]}


def _texts(event: Any) -> list[str]:
    """The texts of a request.

    Raises:
        BadRequest: there are none, too many, or one is too long or no text.
    """
    if not isinstance(event, dict) or event.keys() not in ({"text"}, {"texts"}):
        raise BadRequest('the request is not {"text": "…"} or {"texts": ["…"]}: send one of them, and nothing else')
    texts = [event["text"]] if "text" in event else event["texts"]
    if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_TEXTS:
        raise BadRequest(f"texts is not a list of 1 to {MAX_TEXTS} texts: send fewer at a time")
    for place, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise BadRequest(f"texts[{place}] is not a text with something in it: send a string")
        if len(text) > MAX_CHARS:
            raise BadRequest(f"texts[{place}] has {len(text):,} characters, more than {MAX_CHARS:,}: split it")
    return texts


def _body(event: dict[str, Any]) -> Any:
    """The JSON of an HTTP event."""
    body = event.get("body") or ""
    try:
        return json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except (ValueError, TypeError, binascii.Error, RecursionError):  # TypeError: a test event whose body is an object
        raise BadRequest("the body is not JSON: send one object") from None


def _http(status: int, content: object) -> dict[str, Any]:
    body = json.dumps(content, ensure_ascii=False)
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": body}


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (BertlineError, IndexError) as error:
        print(f"error: {error}" if isinstance(error, BertlineError) else "error: name the bundle", file=sys.stderr)  # noqa: T201
        sys.exit(1)
