"""What holds for every test: shapes are checked, nothing leaves the machine, drawn examples do not vary."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import jaxtyping
import pytest

import tests.shapes
from tests.programs import absent, program, summary

# Before torch is imported: tiny networks gain nothing from threads, and lose much to them on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The packages whose signatures carry shapes. What is annotated in them is wrapped as it is imported, so that
# a wrong rank, size or dtype fails at the call. The other packages carry no arrays, and import some names for
# annotations only, which a check at run time could not resolve.
ARRAY_PACKAGES = [
    "bertline.bundle.probes",
    "bertline.data.batching",
    "bertline.encoder",
    "bertline.evaluation",
    "bertline.export",
    "bertline.inference",
    "bertline.optimization",
    "bertline.service.routes.oip.tensors",
    "bertline.service.routes.tei.answers",
    "bertline.serving.wire",
    "bertline.statistics",
    "bertline.tasks",
    "bertline.training",
]
jaxtyping.install_import_hook(ARRAY_PACKAGES, f"{tests.shapes.__name__}.checked")

os.environ["HF_HUB_OFFLINE"] = "1"
# Each client of httpx reads the public authorities, whom no test needs: 25 ms, thousands of times. This file has one
# authority, whose key nobody has.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("no_authority.pem"))
os.environ["TOKENIZERS_PARALLELISM"] = "false"

hypothesis.settings.register_profile("bertline", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("bertline")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test gets an id of its own: of those that share one, a parallel run would run a single one."""
    for item in items:
        operation = getattr(item, "operation_label", None)  # which Schemathesis leaves out of the id
        if operation is not None:
            item._id = item.id.with_params(operation)
    ids = [item.nodeid for item in items]
    assert len(set(ids)) == len(ids), f"tests share ids: {[one for one, often in Counter(ids).items() if often > 1]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What would have to be installed for the tests that were skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    line = summary(report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    if line is not None:
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to another machine fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to connect to {address[0]}: tests use no network")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium, best the one without windows.

    Without any the test is skipped; in continuous integration it fails.
    """
    path = program("chromium-headless-shell")
    driver = subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False)
    return path if driver.returncode == 0 else absent("libatomic.so.1, which Playwright's driver needs,", "libatomic1")
