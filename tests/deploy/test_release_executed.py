"""The release workflow is run by act: a tag that agrees becomes packages, an image, a chart and a release.

Real are the checks, the builds, the installation, the image, Helm and a registry on this machine. Not real: GitHub's
own services (artefacts lie in a directory; attestations, Pages, the package index and the release's page note what they
were given), cosign, the test run, the guide, and machines of the other architecture, for which the registry gets the
same image again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.containers import BASE, BUILDER, CERTIFICATES, ROOT, environment
from tests.deploy.kubernetes import tool as kubernetes_tool
from tests.deploy.test_pipelines_executed import tool
from tests.stores.registry import registry

pytestmark = pytest.mark.drill

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
VERSION = "1.2.3"
# What stands for GitHub's actions: the inputs by which they are called, and what is done instead.
ACTIONS = {
    "actions/checkout": "true",
    "actions/setup-python": "true",
    "sigstore/cosign-installer": "true",
    "actions/upload-artifact": 'mkdir "$STORE/$NAME"; [ ! -d "$FROM" ] || FROM=$FROM/.; cp -r "$FROM" "$STORE/$NAME/"',
    "actions/download-artifact": 'mkdir -p "${FROM:-.}"; cp -r "$STORE/$NAME"/. "${FROM:-.}/"',
    "actions/attest-build-provenance": 'echo "$SUBJECT" >>"$NOTES/attested"; ls -d $FILES >>"$NOTES/attested"',
    "actions/upload-pages-artifact": 'cp -r "$FROM" "$STORE/pages"',
    "actions/deploy-pages": 'ls "$STORE/pages" >"$NOTES/pages"',
    "pypa/gh-action-pypi-publish": 'ls "$PACKAGES" >"$NOTES/published"',
}
INPUTS = {
    "NAME": "name", "FROM": "path", "FILES": "subject-path", "SUBJECT": "subject-digest", "PACKAGES": "packages-dir",
}  # fmt: skip
PROGRAMS = {
    "cosign": 'echo "$@" >>"$NOTES/signed"',
    "gh": 'echo "$@" >>"$NOTES/gh"',
    "make": 'mkdir -p site && echo "$@" >site/index.html',
    # The registry has no TLS, as every one on this machine.
    "helm": 'case $1 in push) exec "$HELM" "$@" --plain-http ;; *) exec "$HELM" "$@" ;; esac',
    "podman": """case $1 in
build) shift; exec "$PODMAN" build $BUILD "$@" ;;
login) exit 0 ;;
push) "$PODMAN" "$@"; for one; do :; done
    skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false "$one" "${one%-amd64}-arm64" ;;
*) exec "$PODMAN" "$@" ;;
esac""",
}


@dataclass(frozen=True)
class Place:
    """A clone with a release to make, and what the workflow left.

    Attributes:
        clone: of this repository.
        notes: what GitHub's services were given.
        host: of the registry.
        environ: variables of the workflow's processes.
    """

    clone: Path
    notes: Path
    host: str
    environ: dict[str, str]

    def noted(self, name: str) -> list[str]:
        file = self.notes / name
        return file.read_text().split() if file.exists() else []

    def git(self, *arguments: str) -> None:
        names = ["-c", "user.name=tests", "-c", "user.email=tests@example.com"]
        subprocess.run(["git", *names, *arguments], cwd=self.clone, check=True, capture_output=True)

    def release(self, tag: str) -> subprocess.CompletedProcess[str]:
        """Run the workflow for a tag."""
        event = self.clone.parent / "event.json"
        event.write_text(json.dumps({"ref": f"refs/tags/{tag}"}))
        command = [
            tool("venv/bin/act"),
            "push",
            "--eventpath",
            str(event),
            "--workflows",
            str(WORKFLOW.relative_to(ROOT)),
        ]
        command += ["--action-offline-mode", "--matrix", "target:serve", "--matrix", "runner:ubuntu-24.04"]
        command += ["-P", "ubuntu-24.04=-self-hosted", "--secret", "GITHUB_TOKEN=none"]
        command += ["--var", f"IMAGE={self.host}/team/bertline", "--var", f"CHARTS={self.host}/team/charts"]
        for name, folder in local_actions(self.clone.parent).items():
            command += ["--local-repository", f"{name}={folder}"]
        for name, value in self.environ.items():
            command += ["--env", f"{name}={value}"]
        return subprocess.run(
            command, cwd=self.clone, env={**os.environ, **self.environ}, capture_output=True, text=True, check=False
        )


def local_actions(place: Path) -> dict[str, Path]:
    """A composite action for each one that the workflow names, by its name and commit."""
    folders = {}
    for name, commit in set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40}) # v", WORKFLOW.read_text(encoding="utf-8"))):
        environ = {variable: f"${{{{ inputs.{given} }}}}" for variable, given in INPUTS.items()}
        step = {"run": ACTIONS[name], "shell": "bash", "env": environ}
        action = {
            "name": name,
            "inputs": {given: {"required": False, "default": ""} for given in INPUTS.values()},
            "runs": {"using": "composite", "steps": [step]},
        }
        folder = place / "actions" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "action.yml").write_text(yaml.safe_dump(action))
        folders[f"{name}@{commit}"] = folder
    return folders


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A clone at a commit that is ready to be tagged v1.2.3."""
    podman_environ = environment()
    clone, notes, programs = tmp_path / "clone", tmp_path / "notes", tmp_path / "bin"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    for folder in (notes, programs, tmp_path / "home", tmp_path / "store"):
        folder.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\nset -eu\n{text}\n")
        (programs / name).chmod(0o755)
    venv.create(tmp_path / "python", with_pip=True)
    pip = tmp_path / "pip.conf"
    pip.write_text(f"[global]\ncert = {CERTIFICATES}\nroot-user-action = ignore\n")
    ready(clone)
    build = (
        f"--secret=id=pip,src={pip} --volume={CERTIFICATES.parent}:{CERTIFICATES.parent}:ro "
        f"--build-arg=BASE={BASE} --build-arg=BUILDER={BUILDER}"
    )
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        insecure = tmp_path / "registries.conf"
        insecure.write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
        given = {
            name: podman_environ[name] for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "BUILDAH_ISOLATION")
        }
        path = [str(programs), str(tmp_path / "python" / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"]
        environ = given | {
            "PATH": os.pathsep.join(path), "HOME": str(tmp_path / "home"), "NOTES": str(notes), "BUILD": build,
            "STORE": str(tmp_path / "store"), "HELM": kubernetes_tool("helm"), "PODMAN": str(shutil.which("podman")),
            "CONTAINERS_REGISTRIES_CONF": str(insecure), "VENV": sys.prefix,
        }  # fmt: skip
        one = Place(clone, notes, host, environ)
        one.git("checkout", "--quiet", "-B", "main")
        one.git("add", "--all")
        one.git("commit", "--quiet", "--message", "ready")
        one.git("update-ref", "refs/remotes/origin/main", "HEAD")
        yield one


def ready(clone: Path) -> None:
    """Version and changelog as they are when a version is released, and a test run that is quick."""
    package, changelog = clone / "src/bertline/__init__.py", clone / "CHANGELOG.md"
    package.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{VERSION}"', package.read_text()))
    changelog.write_text(
        changelog.read_text().replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{VERSION}] - 2026-11-30\n", 1)
    )
    (clone / ".ci" / "run").write_text('#!/bin/sh\necho tested >>"$NOTES/tested"\n')


def test_a_tag_becomes_a_release(place: Place) -> None:
    place.git("tag", f"v{VERSION}")
    done = place.release(f"v{VERSION}")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    packages = {f"bertline-{VERSION}-py3-none-any.whl", f"bertline-{VERSION}.tar.gz"}
    assert place.noted("tested") == ["tested"]
    assert set(place.noted("published")) == packages
    attested = place.noted("attested")
    assert {Path(one).name for one in attested if one.startswith("dist/")} == packages
    image, chart = (one for one in place.noted("signed") if "@sha256:" in one)
    assert image.startswith(f"{place.host}/team/bertline@sha256:")
    assert image.partition("@")[2] in attested
    assert chart.startswith(f"{place.host}/team/charts/bertline@sha256:")
    for reference in (image, chart):
        name, digest = reference.removeprefix(f"{place.host}/").split("@")
        accepted = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
        stored = httpx.get(f"http://{place.host}/v2/{name}/manifests/{digest}", headers={"Accept": accepted})
        assert stored.status_code == 200, stored.text
    assert place.noted("pages") == ["index.html"]
    created = place.noted("gh")
    assert created[:3] == ["release", "create", f"v{VERSION}"]
    assert {Path(one).name for one in created if one.startswith("dist/bertline-")} == packages
    assert {Path(one).name for one in created if one.endswith("cdx.json")} == {"serve.cdx.json", "all.cdx.json"}


def test_a_tag_that_the_package_does_not_have_stops_before_anything_is_built(place: Place) -> None:
    place.git("tag", "v9.9.9")
    done = place.release("v9.9.9")
    assert done.returncode != 0
    assert f"the tag is v9.9.9, but src/bertline/__init__.py says {VERSION}" in done.stdout + done.stderr
    for name in ("tested", "published", "signed", "gh", "pages"):
        assert place.noted(name) == []
