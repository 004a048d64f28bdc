"""The wheel and the source distribution: built twice from the commit alone, and checked as users install them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from bertline.errors import BertlineError
from tools.release.tagged import git, version_of

SUMS = "SHA256SUMS"


def build(root: Path, out: Path) -> dict[str, str]:
    """Build both, twice and in different places; the hashes of the files.

    The time of the commit stands for every time (SOURCE_DATE_EPOCH), so whoever has the commit can make the same bytes.

    Raises:
        BertlineError: a build failed, or the second one has other bytes.
    """
    epoch = git(root, "log", "-1", "--format=%ct")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("bertline-*"):
        old.unlink()
    with tempfile.TemporaryDirectory() as place:
        first = _built(root, Path(place) / "first", out, epoch)
        second = _built(root, Path(place) / "second" / "below", Path(place) / "again", epoch)
    if first != second:
        names = ", ".join(sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name)))
        raise BertlineError(f"{names}: a second build has other bytes, so nobody could check what is published")
    (out / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in first.items()), encoding="ascii")
    return first


def _built(root: Path, source: Path, out: Path, epoch: str) -> dict[str, str]:
    """The hashes by name of what a checkout of the commit is built to: no file that git does not know gets in."""
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=root, check=True, capture_output=True).stdout
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(source, filter="data")
            else:  # Python 3.11.2, as Debian 12 has it; what git wrote needs no filter
                tar.extractall(source)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(out.resolve())]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    done = subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BertlineError(f"the build failed: {done.stderr[-2000:]}")
    return {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in sorted(out.iterdir())
        if one.name.startswith("bertline-")
    }


def verify(root: Path, dist: Path) -> list[str]:
    """Check both files as the index and users do; a line for each check.

    Raises:
        BertlineError: a hash, the metadata, an installation or the installed version is wrong.
    """
    said: list[str] = []
    if not (dist / SUMS).is_file():
        raise BertlineError(f"{dist} has no {SUMS}: run python -m tools.release build --out {dist} first")
    for line in (dist / SUMS).read_text(encoding="ascii").splitlines():
        digest, name = line.split()
        if hashlib.sha256((dist / name).read_bytes()).hexdigest() != digest:
            raise BertlineError(f"{name} in {dist} is not the file that was built: build it again")
        said.append(f"{name}: sha256 {digest}")
    files = sorted(dist.glob("bertline-*"))
    _run(sys.executable, "-m", "twine", "check", "--strict", *map(str, files))
    said.append("twine check: both descriptions and metadata are accepted")
    for one in files:
        said.append(_installed(root, one))
    return said


def _installed(root: Path, file: Path) -> str:
    """Install a file into an empty environment, and ask the command for its version."""
    with tempfile.TemporaryDirectory() as place:
        venv.create(place, with_pip=False)
        python = Path(place) / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
        _run(*pip, "install", str(file.resolve()), cwd=place)
        _run(*pip, "check", cwd=place)
        answer = _run(str(Path(place) / "bin" / "bertline"), "--version", cwd=place).strip()
    if answer != f"bertline {version_of(root)}":
        raise BertlineError(f"{file.name} installs {answer}, not bertline {version_of(root)}")
    return f"{file.name}: installs into an empty environment, and is {answer}"


def _run(*command: str, cwd: str | None = None) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BertlineError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
