"""The files of a pipeline; tests/deploy/test_pipelines_executed.py runs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bertline.cli.main import application
from bertline.deploy.pipeline import Pipeline, System, write_pipeline
from bertline.errors import UsageError
from bertline.evaluation.bounds import Bound

BOUNDS = (Bound("accuracy", 0.82, least=True), Bound("ece", 0.05, least=False))
OWN = {"github": ".github/workflows/model.yml", "gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}


def pipeline(system: System = "github", **changes: object) -> Pipeline:
    given = {"name": "mails", "data": "data/train.csv", "evaluation": "data/later.csv", "bounds": BOUNDS, **changes}
    return Pipeline(system, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("system", OWN)
def test_each_system_has_its_own_file_and_the_same_steps(system: System, tmp_path: Path) -> None:
    files = {path.relative_to(tmp_path).as_posix() for path in write_pipeline(pipeline(system), tmp_path)}
    assert {path for path in files if not path.startswith("deploy/")} == {OWN[system]}
    text = (tmp_path / OWN[system]).read_text()
    steps = ("check", "train", "evaluate", "gate", "publish", "deploy dev", "verify dev", "deploy production")
    places = [text.index(f"deploy/steps.sh {step}") for step in (*steps, "verify production")]
    assert places == sorted(places)
    assert "@{" not in "".join((tmp_path / path).read_text() for path in files)


def test_scripts_are_executable_and_bounds_are_flags(tmp_path: Path) -> None:
    write_pipeline(pipeline(), tmp_path)
    scripts = [tmp_path / "deploy" / "steps.sh", *(tmp_path / "deploy" / "hooks").iterdir()]
    assert len(scripts) == 8
    for one in scripts:
        assert os.access(one, os.X_OK)
        if one.name == "comment":
            compile(one.read_text(encoding="utf-8"), one.name, "exec")
        else:
            subprocess.run(["sh", "-n", str(one)], check=True)
    assert (
        '"${BOUNDS:=--minimum accuracy=0.82 --maximum ece=0.05}"' in (tmp_path / "deploy" / "settings.sh").read_text()
    )


def test_the_workflow_has_no_right_that_it_does_not_name_and_pins_actions() -> None:
    workflow = yaml.safe_load(pipeline().files()[OWN["github"]])
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        for step in job["steps"]:
            assert len(step.get("uses", f"@{'0' * 40}").partition("@")[2]) == 40


def test_only_one_job_may_write_pull_requests_and_not_for_forks() -> None:
    jobs = yaml.safe_load(pipeline().files()[OWN["github"]])["jobs"]
    [name] = [name for name, job in jobs.items() if "pull-requests" in job["permissions"]]
    job = jobs[name]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert not [step for step in job["steps"] if "train" in step.get("run", "")]


def test_steps_explain_themselves(tmp_path: Path) -> None:
    write_pipeline(pipeline(), tmp_path)
    done = subprocess.run([tmp_path / "deploy" / "steps.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("deploy/steps.sh ") == 8
    environment = subprocess.run(
        [tmp_path / "deploy" / "steps.sh", "deploy", "test"], capture_output=True, text=True, check=False
    )
    assert environment.returncode == 2
    assert environment.stderr == "deploy/steps.sh: there is no environment test: give dev or production\n"


def test_files_that_somebody_changed_are_kept(tmp_path: Path) -> None:
    write_pipeline(pipeline(), tmp_path)
    write_pipeline(pipeline(), tmp_path)
    (tmp_path / "deploy" / "hooks" / "release").write_text("mine")
    with pytest.raises(UsageError, match=r"^deploy/hooks/release in .* would be replaced: pass --overwrite, or remove"):
        write_pipeline(pipeline(), tmp_path)
    assert (tmp_path / "deploy" / "hooks" / "release").read_text() == "mine"
    write_pipeline(pipeline(), tmp_path, overwrite=True)
    assert "helm upgrade" in (tmp_path / "deploy" / "hooks" / "release").read_text()


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    flags = [
        "--ci",
        "gitlab",
        "--name",
        "mails",
        "--data",
        "a.csv",
        "--evaluation",
        "b.csv",
        "--minimum",
        "accuracy=0.8",
    ]
    done = CliRunner().invoke(application(), ["deploy", "init", *flags, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / ".gitlab-ci.yml") in done.stdout.splitlines()
    assert done.stderr == f"Next: {tmp_path / 'deploy' / 'settings.sh'}, then deploy/steps.sh check\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "My mails"}, "--name 'My mails' is not possible: give lower-case letters, digits and hyphens"),
        ({"bounds": ()}, "there is no bound for the model: give one, such as --minimum accuracy=0.82"),
    ],
)
def test_what_cannot_be_a_pipeline(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        pipeline(**changes)


@pytest.mark.parametrize("data", ["a$(id).csv", 'a".csv', "a`id`.csv", "a}b.csv"])
def test_a_name_that_a_shell_would_read_something_into(data: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be written into a shell script: rename it$"):
        pipeline(data=data).files()
