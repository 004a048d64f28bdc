"""``bertline train --register``, as one types it: a real, tiny training with a real registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from mlflow.tracking import MlflowClient
from typer.testing import CliRunner, Result

from bertline.cli import models, train
from bertline.errors import DataError, UsageError
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.reference import Reference
from tests.registered import new_registry

app = typer.Typer(pretty_exceptions_enable=False)
for verb in (models, train):
    verb.register(app)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BERTLINE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("BERTLINE_REGISTRY", new_registry(tmp_path))
    rows = [f"{'good' if i % 2 else 'bad'} film number {i},{'pos' if i % 2 else 'neg'}" for i in range(80)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    return f"sqlite:///{tmp_path / 'models.db'}"


def run(bundle: Path, tmp_path: Path, *flags: str) -> Result:
    given = ["train", tmp_path / "rows.csv", "--model", bundle, "--out", tmp_path / "films", "--max-tokens", "32"]
    return CliRunner().invoke(app, [*map(str, given), "--epochs", "2", *flags], catch_exceptions=False)


def runs(url: str, experiment: str) -> list[object]:
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    found = client.get_experiment_by_name(experiment)
    return [] if found is None else list(client.search_runs([found.experiment_id]))


def test_a_training_is_a_run_and_its_bundle_a_version_that_names_the_run(
    bundle: Path, tmp_path: Path, url: str
) -> None:
    result = run(bundle, tmp_path, "--register", "films", "--experiment", "demo")
    assert result.exit_code == 0, result.output
    (tracked,) = runs(url, "demo")
    assert tracked.info.status == "FINISHED"  # type: ignore[attr-defined]
    assert tracked.data.params["epochs"] == "2"  # type: ignore[attr-defined]
    assert f"Tracked as the MLflow run {tracked.info.run_id}, experiment demo" in result.stderr  # type: ignore[attr-defined]
    assert "Registered as films:1: bertline models show films:1" in result.stderr
    with Database(url) as database:
        version = Catalogue(database).version(Reference("films", version=1))
    assert version.run == tracked.info.run_id  # type: ignore[attr-defined]
    assert version.facts["data"]["fingerprint"]["rows"] == 80


def test_what_is_wrong_with_the_data_or_the_name_is_said_before_a_run_begins(
    bundle: Path, tmp_path: Path, url: str
) -> None:
    with pytest.raises(UsageError, match="'a/b' cannot be the name of a model"):
        run(bundle, tmp_path, "--register", "a/b")
    (tmp_path / "rows.csv").write_text("text\nno labels\n")
    with pytest.raises(DataError):
        run(bundle, tmp_path, "--track")
    assert runs(url, "bertline") == []


def test_the_same_command_again_has_the_same_output_and_registers_nothing_twice(
    bundle: Path, tmp_path: Path, url: str
) -> None:
    """A Kubernetes Job that is applied twice."""
    first = run(bundle, tmp_path, "--register", "films", "--resume", "--json")
    again = run(bundle, tmp_path, "--register", "films", "--resume", "--json")
    assert (first.exit_code, again.exit_code) == (0, 0), again.output
    assert again.stdout == first.stdout
    out = tmp_path / "films"
    said, *rest = again.stderr.splitlines()
    assert said == f"{out} is finished already: a run with the same data, settings and versions wrote it"
    assert "8 test rows" in rest[1]
    assert f"Bundle  {out}" in rest
    assert rest[-1] == "Registered as films:1: bertline models show films:1"
    assert len(runs(url, "bertline")) == 1
    with Database(url) as database:
        assert len(Catalogue(database).versions("films")) == 1
