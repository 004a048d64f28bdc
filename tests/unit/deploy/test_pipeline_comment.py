"""The hook that posts a comparison, as a pipeline runs it, against the comments' API of GitHub and of GitLab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bertline.lifecycle.gate.markdown import MARK
from tests.unit.deploy.test_pipeline import pipeline

COMMENTS = {
    "github": ("/repos/team/mails/issues/7/comments", "/repos/team/mails/issues/comments", "PATCH"),
    "gitlab": ("/projects/3/merge_requests/7/notes", "/projects/3/merge_requests/7/notes", "PUT"),
}
TOKENS = {"github": ("Authorization", "Bearer secret"), "gitlab": ("PRIVATE-TOKEN", "secret")}


@contextmanager
def served(system: str, bodies: list[str]) -> Iterator[str]:
    """Within: the API, with these comments, which it changes; its URL."""
    many, one, change = COMMENTS[system]

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, content: Any, status: int = 200) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _any(self) -> None:
            path, _, query = self.path.partition("?")
            header, value = TOKENS[system]
            if self.headers[header] != value:
                self._answer({"message": "Bad credentials"}, 401)
            elif self.command == "GET" and path == many:
                page = int(dict(part.split("=") for part in query.split("&"))["page"])
                known = [{"id": place, "body": body} for place, body in enumerate(bodies)]
                self._answer(known[100 * (page - 1) : 100 * page])
            elif self.command == "POST" and path == many:
                bodies.append(self._body())
                self._answer({}, 201)
            elif self.command == change and path.startswith(f"{one}/"):
                bodies[int(path.rpartition("/")[2])] = self._body()
                self._answer({})
            else:
                self._answer({}, 404)

        def _body(self) -> str:
            return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

        do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    path = tmp_path / "comment"
    path.write_text(pipeline().files()["deploy/hooks/comment"], encoding="utf-8")
    return path


def post(hook: Path, url: str, text: str, *, token: str = "secret", **more: str) -> subprocess.CompletedProcess[str]:
    file = hook.with_name("comparison.md")
    file.write_text(text, encoding="utf-8")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "CI_", "NUMBER"))}
    given = {
        "GITHUB_API_URL": url, "GITHUB_REPOSITORY": "team/mails", "CI_API_V4_URL": url, "CI_PROJECT_ID": "3", **more
    }  # fmt: skip
    if "NUMBER" in more:
        given["GITHUB_TOKEN"] = token
    if "CI_MERGE_REQUEST_IID" in more:
        given["COMMENT_TOKEN"] = token
    command = [sys.executable, str(hook), str(file)]
    return subprocess.run(command, env=plain | given, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("system", "number"), [("github", "NUMBER"), ("gitlab", "CI_MERGE_REQUEST_IID")])
def test_one_comparison_is_there_whatever_was_said_meanwhile(hook: Path, system: str, number: str) -> None:
    bodies = [f"talk {place}" for place in range(130)]
    with served(system, bodies) as url:
        for text in (f"{MARK}\nfirst", f"{MARK}\nsecond"):
            done = post(hook, url, text, **{number: "7"})
            assert (done.returncode, done.stderr) == (0, "")
            bodies.append("more talk")
        assert [one for one in bodies if "talk" not in one] == [f"{MARK}\nsecond"]
        assert len(bodies) == 133
        done = post(hook, url, f"{MARK}\n{'x' * 70_000}", **{number: "7"})
        [cut] = [one for one in bodies if one.startswith(MARK)]
        assert len(cut) < 65_536
        assert "the whole comparison is in the job's summary" in cut
        denied = post(hook, url, MARK, token="wrong", **{number: "7"})
    assert denied.returncode == 1
    assert denied.stderr.startswith("deploy/hooks/comment: the comparison could not be posted to http://127.0.0.1")
    assert "wrong" not in denied.stderr


def test_without_a_request_it_is_printed(hook: Path) -> None:
    done = post(hook, "http://127.0.0.1:1", "the comparison")
    assert (done.returncode, done.stdout) == (0, "the comparison\n")
