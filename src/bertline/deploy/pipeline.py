"""A pipeline for a project of the user's own: the same steps in GitHub Actions, GitLab CI and Jenkins."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertline import __version__
from bertline.deploy import templates
from bertline.destination import write_files
from bertline.errors import UsageError
from bertline.evaluation.bounds import Bound

System = Literal["github", "gitlab", "jenkins"]
WHAT = "the pipeline"  # in messages about where it goes
_PLACES = {
    "github/model.yml": ".github/workflows/model.yml",
    "gitlab/.gitlab-ci.yml": ".gitlab-ci.yml",
    "jenkins/Jenkinsfile": "Jenkinsfile",
}
_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,38}[a-z0-9])?")  # those that ``chart_name`` keeps as they are
_GITHUB = "ghcr.io"  # takes the token of a job


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a pipeline trains, requires and deploys.

    Attributes:
        system: that runs it.
        name: of the model, its image and its chart.
        data: table to learn.
        evaluation: table that the figures are of.
        bounds: that the figures must keep.
        registry: of images, charts and bundles.

    Raises:
        UsageError: the name is none, or there is no bound.
    """

    system: System
    name: str
    data: str
    evaluation: str
    bounds: Sequence[Bound]
    registry: str = "registry.example.com/team"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"--name {self.name!r} is not possible: give at most 40 lower-case letters, digits and single "
                "hyphens, a letter first"
            )
        if not self.bounds:
            raise UsageError("there is no bound for the model: give one, such as --minimum accuracy=0.82")

    def files(self) -> dict[str, str]:
        """Every file by its path in the project."""
        given = [f"--{'minimum' if one.least else 'maximum'} {one.figure}={one.value:g}" for one in self.bounds]
        values = {
            "name": self.name,
            "data": _quoted(self.data),
            "evaluation": _quoted(self.evaluation),
            "bounds": _quoted(" ".join(given)),
            "models": f"oci://{self.registry}/bundles",
            "image": f"{self.registry}/{self.name}",
            "charts": f"oci://{self.registry}/charts",
            "tools": f"{self.registry}/tools:1",
            "text": f"a text for {self.name}",
            **self._credentials(),
        }
        texts = templates.read("pipeline")
        kept = {
            _PLACES.get(path, path): templates.fill(text, values)
            for path, text in texts.items()
            if path.startswith((f"{self.system}/", "deploy/"))
        }
        extras = {"requirements.txt": "train,serve", "requirements-store.txt": "serve"}
        return {**kept, **{f"deploy/{name}": f"bertline[{extra}]=={__version__}\n" for name, extra in extras.items()}}

    def _credentials(self) -> dict[str, str]:
        """Of GitHub's jobs for the registry: their own token, or secrets, which may be missing."""
        own = self.registry.partition("/")[0] == _GITHUB
        user, password = (
            ("github.actor", "github.token") if own else ("secrets.REGISTRY_USER", "secrets.REGISTRY_PASSWORD")
        )
        return {"registry_user": f"${{{{ {user} }}}}", "registry_password": f"${{{{ {password} }}}}"}


def write_pipeline(pipeline: Pipeline, directory: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the files into a project.

    Raises:
        UsageError: a file exists with other content.
        DestinationError: the directory cannot be written to, or another process writes there.
    """
    files = pipeline.files()
    changed = [name for name, text in files.items() if _differs(directory / name, text)]
    if changed and not overwrite:
        raise UsageError(
            f"{', '.join(changed)} in {directory} would be replaced: pass --overwrite, or remove what is there"
        )
    return write_files(files, directory, WHAT)


def _differs(path: Path, text: str) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != text.encode())


def _quoted(value: str) -> str:
    """A value within double quotes and a parameter's default of a shell.

    Raises:
        UsageError: a shell would read something into it.
    """
    if set(value) & set('"$`\\}\n') or shlex.split(value) != value.split():
        raise UsageError(f"{value!r} cannot be written into a shell script: rename it")
    return value
