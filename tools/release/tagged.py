"""Whether the tag, the package, the changelog and the repository agree on what is released."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bertline.errors import UsageError
from tools.release.changelog import Section, released

PACKAGE = Path("src/bertline/__init__.py")
CHANGELOG = Path("CHANGELOG.md")
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_TAG = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")


def version_of(root: Path) -> str:
    """The version that the package says it has.

    Raises:
        UsageError: it says none.
    """
    said = _VERSION.search((root / PACKAGE).read_text(encoding="utf-8"))
    if said is None:
        raise UsageError(f'{PACKAGE} has no line __version__ = "…": write one')
    return said[1]


def check(root: Path, tag: str) -> Section:
    """The changelog's section of a tag.

    Raises:
        UsageError: the tag is none of a version, the package has another one, the changelog is not ready, or the
            working tree differs from the commit.
    """
    form = _TAG.fullmatch(tag)
    if form is None:
        raise UsageError(f"{tag} is not the tag of a version: tag v1.2.3 or v1.2.3rc1")
    if (version := version_of(root)) != form[1]:
        raise UsageError(f"the tag is {tag}, but {PACKAGE} says {version}: make them agree, and tag again")
    if changed := git(root, "status", "--porcelain", "--untracked-files=no"):
        raise UsageError(f"{changed.split()[1]} is not committed: a release is made of a commit")
    return released((root / CHANGELOG).read_text(encoding="utf-8"), version)


def check_branch(root: Path, branch: str) -> None:
    """Nothing is released but what was merged.

    Raises:
        UsageError: the commit is not on the branch.
    """
    command = ["git", "merge-base", "--is-ancestor", "HEAD", branch]
    if subprocess.run(command, cwd=root, capture_output=True, check=False).returncode:
        raise UsageError(f"this commit is not on {branch}: merge it, and tag the merged commit")


def git(root: Path, *arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
