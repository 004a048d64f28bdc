"""The tools of ``tools/kubernetes.sh``, and charts that they read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from bertline.destination import write_files
from tests.unit.deploy.charts import written

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "tools" / "kubernetes"
VERSION = "1.36"  # of the API, whose schemas are used
TIMEOUT_S = 300
Done = subprocess.CompletedProcess[str]


def tool(path: str) -> str:
    """Path of one of the tools; without them the test is skipped, in continuous integration it fails."""
    if not (PLACE / ".done").is_file():
        reason = "the tools of Kubernetes are missing: tools/kubernetes.sh"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return str(PLACE / path)


def run(command: Sequence[object], **options: Any) -> Done:
    """What a command says, whatever its exit code is."""
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **options
    )


def helm(*arguments: object, **options: Any) -> Done:
    """Run Helm."""
    return run([tool("helm"), *arguments], **options)


def rendered(chart: Path, *arguments: object) -> list[dict[str, Any]]:
    """All objects of a release."""
    done = helm("template", "reviews", chart, "--namespace", "shop", *arguments)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def of_kind(objects: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only object of a kind."""
    [one] = [one for one in objects if one["kind"] == kind]
    return one


def write_chart(directory: Path) -> Path:
    """The chart of a bundle that is not there."""
    write_files(written(), directory, "the chart")
    return directory


def faults_of_crds(objects: Sequence[dict[str, Any]]) -> list[str]:
    """What the schemas of KEDA, the Prometheus operator and the Gateway API object to."""
    done = run(["node", ROOT / "tests/deploy/crds.mjs", PLACE], input=json.dumps(objects))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def faults_of_kubernetes(objects: Sequence[dict[str, Any]], directory: Path) -> list[str]:
    """What the schemas of Kubernetes object to."""
    path = directory / "objects.yaml"
    path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    done = run([tool("venv/bin/kubernetes-validate"), "-k", VERSION, "--strict", "--quiet", path])
    return (done.stdout + done.stderr).splitlines() if done.returncode else []
