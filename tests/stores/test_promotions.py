"""Promotions by real processes in SQLite and a real PostgreSQL: at once, and killed at every statement."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.schema import MIGRATIONS
from tests.registered import fill, new_registry
from tests.service.postgres import new_database, postgres_url  # noqa: F401 - a fixture

BACKENDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.drill))
LAST = 25  # no promotion takes so many statements


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a registry with reviews:1 to reviews:4."""
    if request.param == "sqlite":
        return new_registry(tmp_path)
    return fill(new_database(request.getfixturevalue("postgres_url")), reviews=4)


class Processes:
    """Processes that promote once all of them have read the champion."""

    def __init__(self, url: str, gate: Path) -> None:
        self._url, self._gate = url, gate

    def promote(self, *versions: int, when: str = "0") -> list[subprocess.CompletedProcess[str]]:
        """Each promotes one of the versions."""
        command = [sys.executable, "-m", "tests.stores.promoting", self._url]
        run = [
            subprocess.Popen(
                [*command, str(version), str(self._gate), when],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for version in versions
        ]  # fmt: skip
        waiting = [Path(f"{self._gate}.{version}") for version in versions]
        deadline_s = time.monotonic() + 120
        while not all(path.exists() for path in waiting) and all(one.poll() is None for one in run):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        self._gate.touch()
        done = []
        for one in run:
            out, error = one.communicate(timeout=120)
            done.append(subprocess.CompletedProcess(one.args, one.returncode, out, error))
        for path in [*waiting, self._gate]:
            path.unlink(missing_ok=True)
        return done


@pytest.fixture
def processes(url: str, tmp_path: Path) -> Processes:
    return Processes(url, tmp_path / "gate")


def state(url: str) -> tuple[int, list[int | None], list[str]]:
    """The champion, the versions that the log says, and its faults."""
    with Database(url) as database:
        deployments = Deployments(database, "test")
        moves = [entry.to_version for entry in deployments.entries()]
        return deployments.current("reviews", "champion"), moves, deployments.faults()


def test_of_promotions_at_once_one_wins_and_the_others_get_a_sentence(url: str, processes: Processes) -> None:
    done = processes.promote(1, 2, 3)
    won = [one for one in done if one.returncode == 0]
    assert len(won) == 1, [one.stderr for one in done]
    for one in done:
        if one is not won[0]:
            assert one.stderr.startswith("error: somebody else moved the champion of reviews meanwhile, it is reviews:")
    champion, moves, faults = state(url)
    assert moves == [champion]
    assert faults == []


def _killed(url: str, processes: Processes, when: str, whole: Callable[[], tuple[int, int]]) -> bool:
    """Kill a promotion at a moment; whether it was killed at all. The alias and the log must agree after it."""
    champion, entries = whole()
    (done,) = processes.promote(4, when=when)
    now, moves, faults = state(url)
    assert faults == []
    assert now == (moves[-1] if moves else 0)
    if done.returncode == 0:
        return False
    assert done.returncode == -9, done.stderr
    assert (now, len(moves)) == ((4, entries + 1) if when == "kept" else (champion, entries)), when
    return True


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(("commit",), id="before it is kept"),
        pytest.param((*map(str, range(1, LAST)), "commit", "kept"), id="every statement", marks=pytest.mark.drill),
    ],
)
def test_a_promotion_killed_at_any_statement_happens_whole_or_not_at_all(
    url: str, processes: Processes, moments: tuple[str, ...]
) -> None:
    with Database(url) as database:
        Deployments(database, "test").promote(Reference("reviews", version=1), reason="first")

    def whole() -> tuple[int, int]:
        champion, moves, _ = state(url)
        return champion, len(moves)

    killed = []
    for when in moments:
        if _killed(url, processes, when, whole):
            killed.append(when)
        if whole()[0] == 4:  # it came through: back to the start for the next moment
            with Database(url) as database:
                Deployments(database, "test").rollback("reviews")
    assert len(killed) >= min(len(moments), 12)
    assert "commit" in killed
    with Database(url) as database:
        assert Deployments(database, "test").promote(Reference("reviews", version=2), reason="after it") is not None
    assert state(url)[2] == []


@pytest.mark.drill
def test_tables_are_made_once_by_processes_at_once(url: str) -> None:
    code = (
        "import sys; from bertline.registry.database import Database; from bertline.registry.schema import MIGRATIONS\n"
    )
    code += "with Database(sys.argv[1]) as database: MIGRATIONS.prepare(database)"
    run = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [one.communicate(timeout=120)[1] for one in run]
    assert [one.returncode for one in run] == [0, 0, 0, 0], errors
    with Database(url) as database:
        MIGRATIONS.prepare(database)


@pytest.mark.drill
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_bundle_that_is_added_by_processes_at_once_to_a_new_registry_is_one_version(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    from bertline.testing.tiny import write_tiny_bundle

    write_tiny_bundle(tmp_path / "bundle")
    url = f"sqlite:///{tmp_path / 'models.db'}"
    if kind == "postgresql":
        url = new_database(request.getfixturevalue("postgres_url"))
    command = [sys.executable, "-m", "bertline.cli.main", "models", "add", str(tmp_path / "bundle"), "--name", "new"]
    command += ["--registry", url, "--store", str(tmp_path / "store"), "--json"]
    run = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) for _ in range(3)]
    said = [one.communicate(timeout=300) for one in run]
    assert [one.returncode for one in run] == [0, 0, 0], said
    assert all(b'"version": 1,' in out for out, _ in said)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("models.db")) == [
        "bundle",
        "store",
    ]
