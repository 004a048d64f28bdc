"""A bundle as a function: events in, answers out, over Lambda's runtime API as its page describes it."""

from __future__ import annotations

import base64
import json
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bertline.deploy import function
from bertline.errors import UsageError
from bertline.inference.load import load_predictor
from bertline.testing.tiny import write_tiny_bundle

TEXTS = ["a film", "it is so"]
OTHER = 'the request is not {"text": "…"} or {"texts": ["…"]}: send one of them, and nothing else'


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an engine other than PyTorch."""
    target = tmp_path_factory.mktemp("function") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def handler(fast: Path) -> function.Handler:
    return function.make_handler(fast)


class Runtime(HTTPServer):
    """The runtime API: events that wait, and what came back for each path."""

    def __init__(self) -> None:
        self.events: queue.Queue[object] = queue.Queue()
        self.returned: dict[str, Any] = {}
        super().__init__(("127.0.0.1", 0), Api)


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Runtime

    def do_GET(self) -> None:
        assert self.path == "/2018-06-01/runtime/invocation/next"
        body = json.dumps(self.server.events.get(timeout=30)).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", f"id-{len(self.server.returned)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.returned[self.path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,))
        thread.start()
        yield api
        api.shutdown()
        thread.join()


def test_its_answers_are_those_of_the_bundle(handler: function.Handler, fast: Path) -> None:
    predictor = load_predictor(fast)
    expected = [one.to_json() for one in predictor.predict(TEXTS)]
    answer = handler({"texts": TEXTS}, None)
    assert answer == {"model": {"name": "tiny", "version": predictor.version}, "predictions": expected}
    [alone] = predictor.predict(TEXTS[:1])
    assert handler({"text": TEXTS[0]}, None)["predictions"] == [alone.to_json()]


@pytest.mark.parametrize("coded", [False, True])
def test_an_http_event_gets_an_http_answer(handler: function.Handler, coded: bool) -> None:
    body = json.dumps({"texts": TEXTS})
    event = {"requestContext": {}, "isBase64Encoded": coded}
    event["body"] = base64.b64encode(body.encode()).decode() if coded else body
    answer = handler(event, None)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == handler({"texts": TEXTS}, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "the body is not JSON: send one object"),
        ("[]", OTHER),
        ('{"text": "a", "texts": []}', OTHER),
        ('{"texts": []}', "texts is not a list of 1 to 128 texts: send fewer at a time"),
        ('{"texts": ["a", " "]}', "texts[1] is not a text with something in it: send a string"),
        ('{"text": 1}', "texts[0] is not a text with something in it: send a string"),
        (json.dumps({"text": "a" * 50_001}), "texts[0] has 50,001 characters, more than 50,000: split it"),
    ],
)  # fmt: skip
def test_a_bad_request_is_one_sentence(handler: function.Handler, body: str, message: str) -> None:
    answer = handler({"requestContext": {}, "body": body}, None)
    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["error"]["message"] == message


def test_a_body_that_is_no_text_is_a_bad_request(handler: function.Handler) -> None:
    for coded in (False, True):
        answer = handler({"requestContext": {}, "body": {"text": "a film"}, "isBase64Encoded": coded}, None)
        assert answer["statusCode"] == 422
        assert "the body is not JSON: send one object" in answer["body"]


def test_an_event_that_fails_does_not_end_the_loop(handler: function.Handler, runtime: Runtime) -> None:
    for event in ({"texts": 1}, {"text": "a film"}):
        runtime.events.put(event)
    function.serve(handler, f"127.0.0.1:{runtime.server_port}", requests=2)
    path = "/2018-06-01/runtime/invocation"
    message = "texts is not a list of 1 to 128 texts: send fewer at a time"
    assert runtime.returned[f"{path}/id-0/error"] == {"errorType": "BadRequest", "errorMessage": message}
    assert runtime.returned[f"{path}/id-1/response"]["model"]["name"] == "tiny"


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_runtime_that_has_no_event_ends_the_function(handler: function.Handler, status: int) -> None:
    class Broken(Api):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    asked: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Broken) as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,))
        thread.start()
        try:
            with pytest.raises(function.RuntimeFailed, match=f"the runtime API answered {status} instead of an event"):
                function.serve(handler, f"127.0.0.1:{api.server_port}", requests=2)
        finally:
            api.shutdown()
            thread.join()
    assert len(asked) == 1


def test_a_fault_of_the_program_names_no_text(runtime: Runtime) -> None:
    def handler(event: Any, context: object) -> Any:
        raise ValueError(f"cannot compute {event['text']}")

    runtime.events.put({"text": "secret"})
    function.serve(handler, f"127.0.0.1:{runtime.server_port}", requests=1)
    [failure] = runtime.returned.values()
    assert failure == {"errorType": "ValueError", "errorMessage": "the request cannot be computed"}


def test_a_damaged_bundle_is_reported_to_the_platform(
    fast: Path, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shutil.copytree(fast, tmp_path / "mine")
    (mine / "vocab.txt").write_text("", encoding="utf-8")
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", f"127.0.0.1:{runtime.server_port}")
    with pytest.raises(function.BertlineError, match=r"vocab\.txt .* is truncated"):
        function.main(str(mine))
    assert "vocab.txt" in runtime.returned["/2018-06-01/runtime/init/error"]["errorMessage"]


def test_elsewhere_it_says_who_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_RUNTIME_API", raising=False)
    with pytest.raises(
        UsageError, match="there is no AWS_LAMBDA_RUNTIME_API: Lambda or its emulator starts this command"
    ):
        function.main("tiny")


def test_a_cold_start_imports_no_web_server(fast: Path) -> None:
    program = "import sys, pathlib; from bertline.deploy.function import make_handler; "
    program += "make_handler(pathlib.Path(sys.argv[1])); print(*{one.partition('.')[0] for one in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program, str(fast)], capture_output=True, text=True, check=True)
    heavy = {"torch", "fastapi", "uvicorn", "typer", "rich", "sqlalchemy", "httpx", "cryptography"}
    assert not heavy & set(done.stdout.split())
