"""Real containers for drills: podman on the base images of tools/containers.sh, and a bundle of a real size."""

from __future__ import annotations

import csv
import json
import os
import random
import shlex
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.programs import program

ROOT = Path(__file__).parents[2]
BUILDER, BASE = "localhost/bertline-base:build", "localhost/bertline-base:run"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # of Debian; those of the test run accept nobody
# Nothing more than a server needs: no other user, no capability, no disk.
HARDENED = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--memory=512m", "--pids-limit=64", "--no-healthcheck"),
)
WORDS = {"good": ("warm", "funny", "quiet"), "bad": ("dull", "loud", "long")}


def environment() -> dict[str, str]:
    """Of podman; the base images are made when they are not there."""
    for name in ("podman", "buildah", "runc", "debootstrap"):
        program(name)
    if os.geteuid():
        pytest.skip("containers need root here")
    names = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "BUILDAH_ISOLATION")
    script = ". tools/containers.sh; " + "; ".join(f'echo "${name}"' for name in names)
    made = subprocess.run(["sh", "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    return os.environ | dict(zip(names, made.stdout.split(), strict=True))


def trained(directory: Path) -> Path:
    """A classifier the size of all-MiniLM-L6-v2, after one epoch on a few rows."""
    draw = random.Random(0)
    table = directory / "films.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "label"))
        for number in range(200):
            label = ("good", "bad")[number % 2]
            name = "".join(draw.choices(string.ascii_lowercase, k=8))
            rows.writerow((f"{name} is a {draw.choice(WORDS[label])} film", label))
    bertline("train", str(table), "--out", str(directory / "films"), "--epochs", "1")
    return directory / "films"


def bertline(*arguments: str, environ: dict[str, str] | None = None) -> str:
    """What a command of ours prints."""
    command = [sys.executable, "-m", "bertline.cli.main", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@dataclass
class Podman:
    """The command, with the storage of the drills."""

    environ: dict[str, str] = field(default_factory=environment)

    def __call__(self, *arguments: str, check: bool = True) -> str:
        """What a command prints on standard output."""
        done = subprocess.run(["podman", *arguments], env=self.environ, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"podman {shlex.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def build(
        self, bundle: Path | str | None, context: Path, tag: str, *options: str, target: str = "serve", base: str = BASE
    ) -> str:
        """Build an image with our command, from packages of the index that pip uses here; its id.

        A directory of wheels that pip uses here is used as well: torch's index cannot be reached everywhere.
        """
        secret = context.parent / "pip.conf"
        settings = {"cert": str(CERTIFICATES), "root-user-action": "ignore", "disable-pip-version-check": "true"}
        wheels = os.environ.get("PIP_FIND_LINKS", "")
        if Path(wheels).is_dir():
            settings["find-links"] = wheels
            options = (f"--volume={wheels}:{wheels}:ro", f"--build-arg=TORCH_INDEX=file://{wheels}", *options)
        lines = "\n".join(f"{key} = {value}" for key, value in settings.items())
        secret.write_text(f"[global]\n{lines}\n", encoding="utf-8")
        certificates = CERTIFICATES.parent
        passed = (
            *(f"--secret=id=pip,src={secret}", f"--volume={certificates}:{certificates}:ro"),
            *("--quiet", *options),
        )
        arguments = [f"--build-option={one}" for one in passed]
        what = [str(bundle)] if bundle else []
        command = ("deploy", "image", *what, "--target", target, "--out", str(context), "--build", "--tag", tag)
        bases = ("--base", base, "--builder", BUILDER)
        bertline(*command, *bases, *arguments, environ=self.environ | {"PATH": f"{os.defpath}:/usr/sbin:/sbin"})
        return self("image", "inspect", "--format", "{{.Id}}", tag)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Container]:
        """A container of ``podman run`` with these arguments; it is removed at the end."""
        one = Container(self, self("run", "--detach", "--publish=127.0.0.1::8000", *arguments))
        try:
            yield one
        finally:
            self("rm", "--force", "--time=0", one.id)

    def size(self, image: str) -> int:
        """Unpacked, with its base, in bytes."""
        return int(self("image", "inspect", "--format", "{{.Size}}", image))


@dataclass
class Container:
    """A running container of the server."""

    podman: Podman
    id: str

    @property
    def url(self) -> str:
        return f"http://{self.podman('port', self.id, '8000')}"

    def until_ready(self, url: str | None = None, timeout_s: float = 120) -> None:
        end_s = time.monotonic() + timeout_s
        url = url or f"{self.url}/health/ready"
        while time.monotonic() < end_s:
            try:
                if httpx.get(url).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"not ready:\n{self.logs()}")

    def wait(self) -> int:
        """Its exit code."""
        return int(self.podman("wait", self.id))

    def logs(self) -> str:
        done = subprocess.run(
            ["podman", "logs", self.id], env=self.podman.environ, capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    def python(self, program: str) -> str:
        """What a program prints that runs inside."""
        return self.podman("exec", self.id, "python3", "-c", program)


def inspected(podman: Podman, kind: str, name: str) -> dict[str, object]:
    """What podman knows of an image or a container."""
    [found] = json.loads(podman(kind, "inspect", name))
    return dict(found)
