from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sql
from mlflow.tracking import MlflowClient

from bertline.errors import RegistryError
from bertline.registry import catalogue
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from tests.registered import digest_of, new_registry


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_registry(tmp_path)


def client(url: str) -> MlflowClient:
    return MlflowClient(tracking_uri=url, registry_uri=url)


def test_versions_are_listed_by_name_and_the_newest_first(url: str) -> None:
    with Database(url) as database:
        catalogue = Catalogue(database)
        assert [str(one) for one in catalogue.versions()] == [
            "reviews:4", "reviews:3", "reviews:2", "reviews:1", "topics:1",
        ]  # fmt: skip
        assert [str(one) for one in catalogue.versions("topics")] == ["topics:1"]
        found = catalogue.version(Reference("reviews", version=2))
    assert found.bundle() == (digest_of("reviews", 2), f"file:/shelf@sha256:{digest_of('reviews', 2)}")
    assert found.task == "classify"


def test_what_mlflows_own_client_did_is_what_is_read(url: str) -> None:
    """Aliases, deleted versions and versions of other programs."""
    mlflow = client(url)
    mlflow.set_registered_model_alias("reviews", "champion", "2")
    mlflow.set_registered_model_alias("reviews", "shadow", "2")
    mlflow.delete_model_version("reviews", "3")
    mlflow.create_model_version("reviews", "/elsewhere")
    with Database(url) as database:
        catalogue = Catalogue(database)
        assert catalogue.version(Reference("reviews", alias="champion")).aliases == ("champion", "shadow")
        assert [one.version for one in catalogue.versions("reviews")] == [5, 4, 2, 1]
        with pytest.raises(RegistryError, match="reviews:5 was registered by another program and is not a bundle"):
            catalogue.version(Reference("reviews", version=5)).bundle()


def test_mlflows_own_client_sees_a_promotion(url: str) -> None:
    with Database(url) as database:
        Deployments(database, "ana").promote(Reference("reviews", version=3), reason="first")
    assert client(url).get_model_version_by_alias("reviews", "champion").version == 3
    assert client(url).get_registered_model("reviews").aliases == {"champion": 3}


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (Reference("revews", version=1), "has no model revews: did you mean reviews?"),
        (Reference("reviews", version=9), "reviews has no version 9 in .*: its newest one is 4"),
        (
            Reference("reviews", alias="champion"),
            "reviews has no champion in .*, it has no alias: bertline models promote",
        ),
        (Reference("topics", alias="shadow"), "topics has no shadow in .*, its aliases are champion: bertline models"),
        (Reference("reviews"), "reviews has no champion"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(url: str, reference: Reference, sentence: str) -> None:
    client(url).set_registered_model_alias("topics", "champion", "1")
    with Database(url) as database, pytest.raises(RegistryError, match=sentence):
        Catalogue(database).version(reference)


@pytest.mark.parametrize("reference", [Reference("reviews", alias="champion"), Reference("reviews", version=2)])
def test_of_other_versions_nothing_is_read(url: str, reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server asks every two seconds, and what is written of a version has up to 90 kB."""
    read, listed = list[str](), list[str]()

    def loads(text: str) -> dict[str, object]:
        read.append(text)
        return {}

    with Database(url) as database:
        Deployments(database, "ana").promote(Reference("reviews", version=2), reason="first")
        monkeypatch.setattr(catalogue.json, "loads", loads)
        found = Catalogue(database)
        found.version(reference)
        sql.event.listen(database.engine, "before_cursor_execute", lambda *given: listed.append(given[2]))
        one = found.version(reference)
    assert (str(one), one.aliases, len(read)) == ("reviews:2", ("champion",), 2)
    queries = [text for text in listed if text.startswith("SELECT")]
    assert len(queries) <= 4
    assert all("version = " in text or "alias = " in text for text in queries)


def test_an_empty_database_has_no_models(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'empty.db'}", create=True) as database:
        assert Catalogue(database).versions() == []
        with pytest.raises(RegistryError, match="has no model reviews: it is empty, and bertline models add fills it"):
            Catalogue(database).version(Reference("reviews"))


def test_tables_of_an_older_mlflow_are_not_misread(url: str) -> None:
    with Database(url) as database:
        with database.changing() as connection:
            connection.exec_driver_sql("DROP TABLE registered_model_aliases")
            connection.exec_driver_sql("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER)")
        with pytest.raises(RegistryError, match="is of an older MLflow: run mlflow db upgrade with its URL"):
            Catalogue(database).versions()


def test_the_columns_that_are_read_are_those_of_the_installed_mlflow() -> None:
    from mlflow.store.db.base_sql_model import Base

    from bertline.registry import schema

    for table in (schema.MODELS, schema.VERSIONS, schema.TAGS, schema.ALIASES):
        theirs = Base.metadata.tables[table.name]
        assert {column.name for column in table.columns} <= {column.name for column in theirs.columns}
    assert isinstance(Base.metadata, sql.MetaData)
