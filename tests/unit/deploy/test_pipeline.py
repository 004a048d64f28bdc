"""The files of a pipeline; tests/deploy/test_pipelines_executed.py runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bertline.cli.main import application
from bertline.deploy.pipeline import Pipeline, System, write_pipeline
from bertline.errors import UsageError
from bertline.evaluation.bounds import Bound
from bertline.registry.fetch.oci_credentials import basic_credentials
from tests.unit.deploy.charts import values_of, written

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
    steps = ("login", "check", "train", "evaluate", "gate", "publish", "deploy dev", "verify dev", "deploy production")
    places = [text.index(f"deploy/steps.sh {step}") for step in (*steps, "verify production", "promote")]
    assert places == sorted(places)
    assert "@{" not in "".join((tmp_path / path).read_text() for path in files)


def test_scripts_are_executable_and_bounds_are_flags(tmp_path: Path) -> None:
    write_pipeline(pipeline(), tmp_path)
    scripts = [tmp_path / "deploy" / "steps.sh", *(tmp_path / "deploy" / "hooks").iterdir()]
    assert len(scripts) == 9
    for one in scripts:
        assert os.access(one, os.X_OK)
        if one.name in ("comment", "login"):
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
    assert done.stderr.count("deploy/steps.sh ") == 11
    environment = subprocess.run(
        [tmp_path / "deploy" / "steps.sh", "deploy", "test"], capture_output=True, text=True, check=False
    )
    assert environment.returncode == 2
    assert environment.stderr == "deploy/steps.sh: there is no environment test: give dev or production\n"


def steps(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Steps of the pipeline in ``folder``, with the programs in ``folder/bin`` alone, besides a shell's usual ones."""
    write_pipeline(pipeline(), folder, overwrite=True)
    (folder / "bin").mkdir(exist_ok=True)
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", **environment}
    command = [folder / "deploy" / "steps.sh", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_machine_without_the_programs_is_told_before_the_training(tmp_path: Path) -> None:
    where = "deploy/tools/Dockerfile says where each comes from\n"
    done = steps(tmp_path, "tools", TOOLS="sh no-such-trivy no-such-cosign")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"deploy/steps.sh: this machine lacks no-such-trivy no-such-cosign: {where}"
    for version, code in (("v3.19.1", 1), ("v4.0.0", 0), ("v4.3.1", 0), ("v11.2.0", 0)):
        helm = tmp_path / "bin" / "helm"
        helm.write_text(f"#!/bin/sh\necho {version}\n")
        helm.chmod(0o755)
        done = steps(tmp_path, "tools", TOOLS="helm sh")
        assert done.returncode == code
    assert steps(tmp_path, "tools", TOOLS="sh").returncode == 0


@pytest.mark.parametrize("models", ["models", "/srv/models", "hf://team"])
def test_models_are_kept_where_names_can_move(models: str, tmp_path: Path) -> None:
    done = steps(tmp_path, "gate", MODELS=models)
    sentence = f"deploy/steps.sh: MODELS={models} has no tags: give oci://…, s3://… or file:DIRECTORY\n"
    assert (done.returncode, done.stderr) == (2, sentence)


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("file:/store/mails holds no bundle with the tag production: push one there with bertline models push", True),
        ("oci://r.example/mails:production does not exist (without the manifest production): check its name", True),
        ("s3://m/mails denies access: …: without s3:ListBucket, S3 also denies what does not exist", False),
        ("s3://m/mails has a bucket that does not exist: create it, or correct the address", False),
        (f"oci://r.example/mails does not exist (without the layer sha256:{'0' * 64}): check its name", False),
        (f"oci://r.example/mails does not exist (without the manifest sha256:{'0' * 64}): check its name", False),
        ("oci://r.example/mails cannot serve at the moment (HTTP 503): run the command again", False),
    ],
)
def test_only_where_no_model_was_promoted_a_new_one_is_compared_with_none(
    said: str, first: bool, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "bertline"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ $1 = gate ] || {{ echo '{said}' >&2; exit 1; }}\n")
    program.chmod(0o755)
    done = steps(tmp_path, "gate")
    assert (done.returncode == 0) is first
    assert (said in done.stderr) is not first


def test_every_program_of_the_hooks_comes_from_a_named_image(tmp_path: Path) -> None:
    files = pipeline().files()
    settings = re.search(r'"\$\{TOOLS:=(.+)\}"', files["deploy/settings.sh"])
    assert settings is not None
    image = files["deploy/tools/Dockerfile"]
    names = {one.rpartition("/")[2] for one in re.findall(r"^COPY --from=\w+ (\S+) ", image, re.M)}
    assert set(settings[1].split()) == names - {"docker-buildx"} | {"curl", "git"}  # Python's image has these two
    assert "TOOLS_IMAGE: registry.example.com/team/tools:1" in pipeline("gitlab").files()[OWN["gitlab"]]
    assert "docker build --tag registry.example.com/team/tools:1 deploy/tools" in image


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


def hook(folder: Path, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A hook of the pipeline in ``folder``, with the programs in ``folder/bin`` alone."""
    write_pipeline(pipeline(), folder, overwrite=True)
    (folder / "bin").mkdir(exist_ok=True)
    python = Path(sys.executable).parent
    environment = {"PATH": f"{folder / 'bin'}:{python}", "HOME": str(folder / "home"), **environment}
    command = [folder / "deploy" / "hooks" / name, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def program(folder: Path, name: str) -> Path:
    """A program that writes its arguments and its input to a file."""
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / name
    path.write_text(f'#!/bin/sh\necho "$@" >{folder / name}.txt\n/bin/cat >>{folder / name}.txt\n')
    path.chmod(0o755)
    return folder / f"{name}.txt"


PASSWORD = {"REGISTRY_USER": "me", "REGISTRY_PASSWORD": "s3cret"}
IMAGE = "registry.example.com:5000/team/mails"


def test_a_job_without_a_password_is_not_signed_in(tmp_path: Path) -> None:
    other = {"CI_REGISTRY": "registry.gitlab.com", "CI_REGISTRY_USER": "ci", "CI_REGISTRY_PASSWORD": "token"}
    for environment in ({}, other, {"REGISTRY_USER": "", "REGISTRY_PASSWORD": ""}):
        done = hook(tmp_path, "login", IMAGE, **environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("deploy/hooks/login: no password for registry.example.com:5000, so this job is n")
    assert not (tmp_path / "home").exists()


def test_a_password_reaches_docker_by_its_standard_input(tmp_path: Path) -> None:
    asked = program(tmp_path, "docker")
    done = hook(tmp_path, "login", IMAGE, **PASSWORD)
    assert done.returncode == 0, done.stderr
    assert asked.read_text() == "login --username me --password-stdin registry.example.com:5000\ns3cret"


def test_without_docker_the_password_is_where_bertline_and_other_clients_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "home" / ".docker" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"auths": {"other.example.com": {"auth": "b3RoZXI6b3RoZXI="}}, "proxies": {}}))
    config.chmod(0o600)
    own = {"CI_REGISTRY": "registry.example.com:5000", "CI_REGISTRY_USER": "ci", "CI_REGISTRY_PASSWORD": "token"}
    assert hook(tmp_path, "login", IMAGE, **own).returncode == 0
    kept = json.loads(config.read_text())
    assert kept["auths"].keys() == {"other.example.com", "registry.example.com:5000"}
    assert kept["proxies"] == {}
    assert config.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("DOCKER_CONFIG", str(config.parent))
    assert basic_credentials("registry.example.com:5000") == b64encode(b"ci:token").decode()


def test_a_release_has_the_values_of_its_environment(tmp_path: Path) -> None:
    asked = program(tmp_path, "helm")
    release = ("release", "production", "mails", "0.0.0-g1")
    assert hook(tmp_path, *release).returncode == 0
    command = "upgrade --install mails oci://registry.example.com/team/charts/mails --version 0.0.0-g1 --namespace "
    flags = "production --create-namespace --wait --rollback-on-failure"
    assert asked.read_text() == f"{command}{flags} --values deploy/values/production.yaml\n"


@pytest.mark.parametrize("environment", ["dev", "production"])
def test_the_example_in_an_environments_values_fits_the_chart(environment: str) -> None:
    text = pipeline().files()[f"deploy/values/{environment}.yaml"]
    assert yaml.safe_load(text) is None
    example = yaml.safe_load("\n".join(line[2:] for line in text.splitlines()[3:]))
    values = values_of(written())

    def known(given: Any, there: Any) -> bool:
        if not (isinstance(given, dict) and isinstance(there, dict)):
            return True
        return all(name in there and known(one, there[name]) for name, one in given.items())

    assert example["ingress"]["host"] in text
    assert known(example, values)


@pytest.mark.parametrize(
    ("registry", "user", "password"),
    [
        ("ghcr.io/shop", "${{ github.actor }}", "${{ github.token }}"),
        ("registry.example.com/shop", "${{ secrets.REGISTRY_USER }}", "${{ secrets.REGISTRY_PASSWORD }}"),
    ],
)
def test_each_job_that_reaches_the_registry_signs_in_first(registry: str, user: str, password: str) -> None:
    jobs = yaml.safe_load(pipeline(registry=registry).files()[OWN["github"]])["jobs"]
    for name in ("model", "dev", "production"):
        commands = [step.get("run", "") for step in jobs[name]["steps"]]
        place = commands.index("deploy/steps.sh login")
        assert jobs[name]["steps"][place]["env"] == {"REGISTRY_USER": user, "REGISTRY_PASSWORD": password}
        others = [i for i, one in enumerate(commands) if one.startswith("deploy/steps.sh") and "tools" not in one]
        assert place == others[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(
            (
                {"name": one},
                f"--name '{one}' is not possible: give at most 40 lower-case letters, digits and single "
                "hyphens, a letter first",
            )
            for one in ("My mails", "2026-mails", "ma--ils", "mails-", "m" * 41)
        ),
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
