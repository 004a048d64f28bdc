"""The steps of a release that a laptop can run: what may be tagged, and packages with the same bytes twice."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from bertline import __version__
from bertline.errors import BertlineError
from tests.programs import program
from tools.release import chart, packages, tagged
from tools.release.__main__ import main
from tools.release.changelog import sections

ROOT = Path(__file__).parents[2]
READY = """# Changelog

## [Unreleased]

## [1.2.3] - 2026-11-30

- One thing.

## [1.2.2] - 2026-11-01

- Another.
"""
IMAGE = f"registry.example.com/team/bertline@sha256:{'0123456789abcdef' * 4}"


def git(root: Path, *arguments: str) -> None:
    names = ["-c", "user.name=tests", "-c", "user.email=tests@example.com"]
    subprocess.run(["git", *names, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path, **texts: str) -> None:
    places = {"version": tagged.PACKAGE, "changelog": tagged.CHANGELOG}
    for name, text in texts.items():
        (root / places[name]).write_text(text, encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "a change")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package whose version 1.2.3 may be tagged."""
    program("git")
    (tmp_path / tagged.PACKAGE).parent.mkdir(parents=True)
    (tmp_path / "LICENSE").write_text("Apache-2.0\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("# A package\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "bertline"\ndynamic = ["version"]\nreadme = "README.md"\nrequires-python = ">=3.11"\n'
        '[tool.hatch.version]\npath = "src/bertline/__init__.py"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["src/bertline"]\n',
        encoding="utf-8",
    )
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path, version='__version__ = "1.2.3"\n', changelog=READY)
    return tmp_path


def test_a_tag_that_agrees_with_everything_is_released(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "v1.2.3", "--branch", "main"], repository) == 0
    assert main(["notes"], repository) == 0
    assert capsys.readouterr().out == "v1.2.3 is version 1.2.3 of 2026-11-30\n- One thing.\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "message"),
    [
        ("1.2.3", READY, "1.2.3 is not the tag of a version: tag v1.2.3 or v1.2.3rc1"),
        (
            "v1.2.4",
            READY,
            "the tag is v1.2.4, but src/bertline/__init__.py says 1.2.3: make them agree, and tag again",
        ),
        (
            "v1.2.3",
            "## [Unreleased]\n",
            "CHANGELOG.md has no section [1.2.3]: rename [Unreleased] to [1.2.3] - YEAR-MONTH-DAY",
        ),
        (
            "v1.2.3",
            READY.replace(" - 2026-11-30", ""),
            "the section [1.2.3] of CHANGELOG.md has no date: write ## [1.2.3] - YEAR-MONTH-DAY",
        ),
        (
            "v1.2.3",
            READY.replace("- One thing.\n", ""),
            "the section [1.2.3] of CHANGELOG.md is empty: write what changed",
        ),
        (
            "v1.2.3",
            READY.replace("[Unreleased]\n", "[Unreleased]\n\n- A last thing.\n"),
            "CHANGELOG.md has changes under [Unreleased]: move them to [1.2.3]",
        ),
    ],
)
def test_what_is_not_released(
    repository: Path, tag: str, changelog: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if changelog != READY:
        commit(repository, changelog=changelog)
    assert main(["check", tag], repository) == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def test_nothing_is_released_that_is_not_committed_or_not_merged(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(repository, "checkout", "--quiet", "-b", "aside")
    commit(repository, changelog=READY + "\n")
    assert main(["check", "v1.2.3", "--branch", "main"], repository) == 1
    (repository / "README.md").write_text("# Another\n", encoding="utf-8")
    assert main(["check", "v1.2.3"], repository) == 1
    assert capsys.readouterr().err == (
        "error: this commit is not on main: merge it, and tag the merged commit\n"
        "error: README.md is not committed: a release is made of a commit\n"
    )


def test_packages_hold_the_commit_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    (repository / "src" / "bertline" / "notes.py").write_text("# not committed\n", encoding="utf-8")
    out = tmp_path / "dist"
    built = packages.build(repository, out)
    assert set(built) == {"bertline-1.2.3-py3-none-any.whl", "bertline-1.2.3.tar.gz"}
    assert packages.build(repository, out) == built
    names = set(zipfile.ZipFile(out / "bertline-1.2.3-py3-none-any.whl").namelist())
    with tarfile.open(out / "bertline-1.2.3.tar.gz") as source:
        names |= set(source.getnames())
    assert any(name.endswith("bertline/__init__.py") for name in names)
    assert not [name for name in names if "notes.py" in name]


def test_a_changed_package_is_not_published(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(BertlineError, match=r"has no SHA256SUMS: run python -m tools\.release build"):
        packages.verify(repository, tmp_path)
    out = tmp_path / "dist"
    packages.build(repository, out)
    with (out / "bertline-1.2.3.tar.gz").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BertlineError, match=r"^bertline-1\.2\.3\.tar\.gz in .* is not the file that was built"):
        packages.verify(repository, out)


def test_a_build_that_differs_the_second_time_is_refused(repository: Path, tmp_path: Path) -> None:
    """A package whose text is the directory in which it is built."""
    hook = (
        "\n[tool.hatch.build.hooks.custom]\n",
        "import pathlib\nfrom hatchling.builders.hooks.plugin.interface import BuildHookInterface\n\n\n"
        "class Where(BuildHookInterface):\n    def initialize(self, version, build_data):\n"
        "        pathlib.Path(self.root, 'src/bertline/where.txt').write_text(self.root)\n",
    )
    with (repository / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(hook[0])
    (repository / "hatch_build.py").write_text(hook[1], encoding="utf-8")
    commit(repository)
    with pytest.raises(BertlineError, match="a second build has other bytes, so nobody could check what is published"):
        packages.build(repository, tmp_path / "dist")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the date of the figures is that of their commit")
def test_the_chart_wants_the_address_of_a_model_and_pins_the_image() -> None:
    files = chart.files("1.2.3", IMAGE)
    values = yaml.safe_load(files["values.yaml"])
    described = yaml.safe_load(files["Chart.yaml"])
    assert (described["name"], described["version"], described["appVersion"]) == ("bertline", "1.2.3", "1.2.3")
    assert values["image"]["digest"] == IMAGE.partition("@")[2]
    assert values["model"]["version"] == ""
    source = values["model"]["source"]
    assert (source["kind"], source["path"], source["address"]) == ("address", "", "")


def test_the_changelog_and_the_version_of_this_repository_can_be_read() -> None:
    assert tagged.version_of(ROOT) == __version__
    assert sections((ROOT / tagged.CHANGELOG).read_text(encoding="utf-8"))[0].name == "Unreleased"
