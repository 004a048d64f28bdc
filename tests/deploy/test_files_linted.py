"""Pipelines and the Compose file pass the linters and schemas of their own systems (tools/pipelines.sh)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bertline.deploy.pipeline import Pipeline, System, write_pipeline
from bertline.deploy.stack import Stack, write_stack
from bertline.evaluation.bounds import Bound
from tests.deploy.test_pipelines_executed import tool

pytestmark = pytest.mark.drill
WORKFLOW = ".github/workflows/model.yml"


def passes(folder: Path, command: str, *arguments: str) -> None:
    done = subprocess.run(
        [tool(f"venv/bin/{command}"), *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pipeline(folder: Path, system: System) -> None:
    write_pipeline(Pipeline(system, "mails", "a.csv", "b.csv", [Bound("accuracy", 0.8, least=True)]), folder)


def test_the_workflow_of_github(tmp_path: Path) -> None:
    pipeline(tmp_path, "github")
    passes(tmp_path, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW)
    passes(tmp_path, "actionlint", WORKFLOW)
    passes(tmp_path, "zizmor", "--offline", WORKFLOW)


def test_the_pipeline_of_gitlab(tmp_path: Path) -> None:
    pipeline(tmp_path, "gitlab")
    passes(tmp_path, "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab-ci.yml")


def test_the_compose_file(tmp_path: Path) -> None:
    write_stack(Stack("mails", "localhost/mails:1"), tmp_path)
    passes(tmp_path, "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")
