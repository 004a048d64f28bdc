"""Each pipeline is run: a good model goes to production, a bad one stops, a failing smoke test goes back.

GitHub's by act, GitLab's by gitlab-ci-local, Jenkins' by Groovy with the directives that it uses (tools/pipelines.sh),
on this machine and without containers.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.deploy.pipeline import System
from tests.deploy.projects import ROOT, Project, project

pytestmark = pytest.mark.drill
PLACE = ROOT / "build" / "tools" / "pipelines"
ACTIONS = {
    "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd": "checkout",
    "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405": "python",
    "azure/setup-helm@dda3372f752e03dde6b3237bc9431cdc2f7a02a2": "helm",
    "aquasecurity/setup-trivy@3fb12ec12f41e471780db15c232d5dd185dcb514": "trivy",
    "sigstore/cosign-installer@faadad0cce49287aee09b3a48701e75088a2c6ad": "cosign",
}
NOTHING = "name: nothing\nruns: { using: composite, steps: [{ run: 'true', shell: sh }] }\n"
Ran = subprocess.CompletedProcess[str]


def tool(path: str) -> str:
    """Path of one of the tools; without them the test is skipped, in continuous integration it fails."""
    if not (PLACE / ".done").is_file():
        reason = "the tools of pipelines are missing: tools/pipelines.sh"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return str(PLACE / path)


def run(one: Project, command: list[str]) -> Ran:
    return subprocess.run(
        command, cwd=one.directory, env=one.environment, capture_output=True, text=True, timeout=600, check=False
    )


def github(one: Project) -> Ran:
    """A push to main; the actions are there already, as on a runner that has checked out and has the tools."""
    actions = []
    for name, folder in ACTIONS.items():
        place = one.place / folder
        place.mkdir(exist_ok=True)
        (place / "action.yml").write_text(NOTHING)
        actions += ["--local-repository", f"{name}={place}"]
    return run(
        one,
        [tool("venv/bin/act"), "push", "-P", "ubuntu-latest=-self-hosted", "--action-offline-mode", *actions]
        + [
            part
            for name in ("PLACE", "DEV_PORT", "PRODUCTION_PORT", "PATH", "PYTHONPATH")
            for part in ("--env", f"{name}={one.environment[name]}")
        ],
    )


def gitlab(one: Project) -> Ran:
    """A push to the default branch, and somebody who approves production; without the service, which needs Docker."""
    lines = (one.directory / ".gitlab-ci.yml").read_text().splitlines(keepends=True)
    (one.directory / "local.yml").write_text("".join(line for line in lines if not line.startswith("  services: [")))
    command = [tool("node_modules/.bin/gitlab-ci-local"), "--force-shell-executor", "--file", "local.yml"]
    first = run(one, command)
    return first if first.returncode else run(one, [*command, "production"])


def jenkins(one: Project) -> Ran:
    """A build of main, by what ``declarative.groovy`` knows of Jenkins."""
    jars = tool("node_modules/npm-groovy-lint/lib/java/groovy/lib/groovy-4.0.26.jar")
    runner = str(Path(__file__).with_name("declarative.groovy"))
    return run(one, ["env", "BRANCH_NAME=main", "java", "-cp", jars, "groovy.ui.GroovyMain", runner, "Jenkinsfile"])


RUNNERS: dict[System, Callable[[Project], Ran]] = {"github": github, "gitlab": gitlab, "jenkins": jenkins}


@pytest.mark.parametrize("system", RUNNERS)
def test_a_good_model_is_deployed_a_bad_one_stops_and_a_failing_smoke_test_goes_back(
    system: System, tmp_path: Path
) -> None:
    ran = RUNNERS[system]
    with project(tmp_path, system) as one:
        good = one.commit("good labels")
        done = ran(one)
        assert done.returncode == 0, done.stdout + done.stderr
        assert one.released("dev") == one.released("production") == [good]
        assert one.predicts("production")
        assert (one.place / "scanned").read_text() == (one.place / "signed").read_text()
        champion = one.stored("production")
        assert champion == one.stored(good)

        one.spoil_labels()
        one.commit("bad labels")
        done = ran(one)
        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert "may not be promoted: frozen rows" in said  # it was compared with the model in use
        assert "below the minimum of 0.8" in said
        assert one.released("dev") == one.released("production") == [good]

        one.mend_labels()
        one.smoke("")
        one.commit("a smoke test that fails")
        done = ran(one)
        assert done.returncode != 0
        assert "does not predict, so dev goes back to the release before" in done.stdout + done.stderr
        assert one.released("dev") == one.released("production") == [good]
        assert one.predicts("production")
        assert one.stored("production") == champion

        one.smoke("is it")
        one.production_at("/elsewhere")
        rolled_back = one.commit("production does not predict")
        done = ran(one)
        assert done.returncode != 0
        assert "does not predict, so production goes back to the release before" in done.stdout + done.stderr
        assert one.released("dev") == [good, rolled_back]
        assert one.released("production") == [good]
        assert one.predicts("production")
        assert one.stored(rolled_back) not in (None, champion)
        assert one.stored("production") == champion  # with which the next model is compared
