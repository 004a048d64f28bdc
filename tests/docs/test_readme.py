"""The commands of README.md, typed one after the other by someone with a table of their own.

``make`` targets are looked up and not made (this test runs inside one), and what ``pip`` would install is compared with
pyproject.toml; everything else is executed as it stands, with the real model. Environment variables choose the port
and, as half the minutes would be spent on them, fewer passes of teacher and student and one repetition of each
measurement.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bertline.bundle import load
from tests.docs.markdown import ROOT, commands

README = ROOT / "README.md"
TOPICS = {
    "delivery": ["parcel", "courier", "package", "shipment"],
    "billing": ["invoice", "refund", "charge", "payment"],
    "account": ["password", "login", "address", "profile"],
}
ASKED = ["my {} is late and i am not pleased", "please look at the {} again", "where is my {}", "a {} problem"]
SEEN, LATER = ("since monday", "for a week", "again"), ("after all", "in the end")


class Customer:
    """Types commands in a directory, on a port of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "BERTLINE_SERVE_PORT": self.port,
            "BERTLINE_TRAIN_EPOCHS": "8",
            "BERTLINE_DISTILL_EPOCHS": "2",
            "BERTLINE_OPTIMIZE_REPETITIONS": "1",
            "XDG_DATA_HOME": str(directory / "data"),
        }
        self.server: subprocess.Popen[str] | None = None
        self.outputs: dict[str, str] = {}

    def type(self, command: str) -> None:
        """Do what ``command`` says and keep its output under the words that it begins with."""
        words = shlex.split(command)
        if words[:2] == ["bertline", "serve"]:
            self._serve(words)
        elif words[0] == "curl":
            self.outputs["curl"] = self._request(words)
        else:
            result = self.run(words)
            assert result.returncode == 0, f"{command}\n{result.stderr}"
            self.outputs[" ".join(words[:2])] = result.stdout + result.stderr

    def stop(self) -> int:
        """Press Ctrl-C on the server; its exit code."""
        assert self.server is not None
        self.server.send_signal(signal.SIGINT)
        return self.server.wait(timeout=60)

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """What a command says and how it ends."""
        return subprocess.run(
            words, cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False
        )

    def _serve(self, words: list[str]) -> None:
        if self.server is not None:
            assert self.stop() == 0
        self.server = subprocess.Popen(words, cwd=self.directory, env=self.environment, text=True)
        authority = self.directory / "certs" / "ca.pem" if "--tls-certificate" in words else None
        while not self._ready(authority):
            assert self.server.poll() is None, "the server ended"
            time.sleep(0.1)

    def _ready(self, authority: Path | None) -> bool:
        scheme, verify = "http", ssl.create_default_context(cafile=authority)
        if authority is not None:
            scheme = "https"
        try:
            return httpx.get(f"{scheme}://127.0.0.1:{self.port}/health/ready", verify=verify).status_code == 200
        except httpx.TransportError:
            return False

    def _request(self, words: list[str]) -> str:
        """What curl would do, so that a machine without it can run the test."""
        url, flags = words[1].replace(":8000/", f":{self.port}/"), dict(zip(words[2::2], words[3::2], strict=True))
        name, _, value = flags["-H"].partition(": ")
        return httpx.post(url, content=flags["-d"], headers={name: value}).raise_for_status().text


def write_tables(directory: Path) -> None:
    """mails.csv and later.csv with topics, new.csv without."""
    for name, endings in (("mails.csv", SEEN), ("later.csv", LATER)):
        rows = [
            (f"{asked.format(word)} {ending}", topic)
            for topic, words in TOPICS.items()
            for word in words
            for asked in ASKED
            for ending in endings
        ]
        with (directory / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "topic"), *rows])
    lines = ["id,text", "7,where is the courier", '8,"the invoice, again"', "9,i forgot my password"]
    (directory / "new.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    """Someone who has typed every command of README.md; the server of the last block still runs."""
    one = Customer(tmp_path_factory.mktemp("customer"))
    write_tables(one.directory)
    try:
        for command in commands(README):
            if shlex.split(command)[0] not in ("make", "pip"):
                one.type(command)
        yield one
    finally:
        if one.server is not None and one.server.poll() is None:
            one.server.kill()


def test_the_readme_shows_every_verb() -> None:
    shown = {" ".join(shlex.split(line)[:2]) for line in commands(README)}
    verbs = ("train", "evaluate", "predict", "distill", "optimize", "serve")
    assert {f"bertline {verb}" for verb in verbs} <= shown
    assert {"make demo", "make test"} <= shown


def test_the_extras_that_pip_is_given_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lines = [line for line in commands(README) if line.startswith("pip ")]
    named = [one for line in lines for match in re.findall(r"\[([\w,]+)\]", line) for one in match.split(",")]
    assert named
    assert set(named) <= set(extras)


@pytest.mark.slow
def test_training_leaves_the_files_that_the_readme_lists(customer: Customer) -> None:
    [tree] = re.findall(r"^```\nmails/\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    listed = [word for line in tree.splitlines() for word in re.split(r" {3,}", line.strip())[0].split()]
    files = [word for word in listed if word != "…"]
    assert len(files) >= 5
    assert not [name for name in files if not (customer.directory / "mails" / name).exists()]


@pytest.mark.slow
def test_evaluation_and_prediction_answer(customer: Customer) -> None:
    assert "96 rows" in customer.outputs["bertline evaluate"]
    with (customer.directory / "answered.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["7", "8", "9"]
    assert [row["predicted_label"] for row in rows] == ["delivery", "billing", "account"]


@pytest.mark.slow
def test_the_model_is_distilled_and_optimized_and_an_engine_answers(customer: Customer) -> None:
    assert "kept (student ÷ teacher)" in customer.outputs["bertline distill"]
    picked = re.search(r"Picked  (\S+) for throughput", customer.outputs["bertline optimize"])
    assert picked is not None
    assert load(customer.directory / "mails").manifest.engines[0].name == picked[1]


@pytest.mark.slow
def test_the_python_program_prints_what_the_readme_says(customer: Customer) -> None:
    text = README.read_text(encoding="utf-8")
    [program] = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    result = customer.run([sys.executable, "-c", program])
    assert result.returncode == 0, result.stderr
    [said] = re.findall(r"^prints (.*?)\. ", text, re.MULTILINE)
    assert result.stdout.splitlines() == re.findall(r"`(.*?)`", said)


@pytest.mark.slow
def test_the_service_answers(customer: Customer) -> None:
    answer: dict[str, Any] = json.loads(customer.outputs["curl"])
    [prediction] = answer["predictions"]
    assert answer["model"]["name"] == "mails"
    assert prediction["label"] == "delivery"
    assert sum(one["probability"] for one in prediction["probabilities"]) == pytest.approx(1)


@pytest.mark.slow
def test_on_a_network_it_requires_a_key_and_stops_on_signal(customer: Customer) -> None:
    """Of the last server of the page; it was started with HTTPS, and the key was printed before."""
    key = customer.outputs["bertline auth"].splitlines()[0]
    authority = ssl.create_default_context(cafile=customer.directory / "certs" / "ca.pem")
    assert customer.server is not None
    with httpx.Client(base_url=f"https://localhost:{customer.port}", verify=authority) as client:
        assert client.get("/").status_code == 401
        for path in ("/", "/docs"):
            page = client.get(path, auth=("anybody", key))
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
    assert (customer.directory / "watching" / "prometheus" / "rules.yml").exists()
    assert (customer.directory / "drift" / "drift.html").exists()
    assert customer.outputs["bertline gate"].startswith("mails (")
    assert "the champion of mails is mails:1" in customer.outputs["bertline models"]
    assert customer.stop() == 0
