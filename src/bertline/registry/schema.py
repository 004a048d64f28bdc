"""The tables of the registry: MLflow's, of which these columns are read, and our own.

Ours are the log of deployments, rollouts, and the verdicts of gates. They are made and changed by ``MIGRATIONS``, in
one transaction that no other process runs beside. MLflow makes its own.
"""

from __future__ import annotations

from dataclasses import fields

import sqlalchemy as sql

from bertline.database.migrations import Migrations
from bertline.registry.rollout import Tally

WORKSPACE = "default"  # MLflow's, where its server has no others

# MLflow's (mlflow/store/model_registry/dbmodels/models.py, 3.17).
MODELS = sql.table("registered_models", *map(sql.column, ("workspace", "name")))
VERSIONS = sql.table(
    "model_versions",
    *map(sql.column, ("workspace", "name", "version", "creation_time", "current_stage", "source", "run_id")),
)
TAGS = sql.table("model_version_tags", *map(sql.column, ("workspace", "name", "version", "key", "value")))
ALIASES = sql.table("registered_model_aliases", *map(sql.column, ("workspace", "name", "alias", "version")))
DELETED = "Deleted_Internal"  # the stage of a version that was deleted: its number is not used again

TABLES = sql.MetaData()
DEPLOYMENTS = sql.Table(
    "bertline_deployments",
    TABLES,
    sql.Column("number", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("time", sql.String(32), nullable=False),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("action", sql.String(16), nullable=False),
    sql.Column("model", sql.String(256), nullable=False),
    sql.Column("alias", sql.String(256), nullable=False),
    sql.Column("from_version", sql.Integer),
    sql.Column("from_digest", sql.String(64)),
    sql.Column("to_version", sql.Integer),
    sql.Column("to_digest", sql.String(64)),
    sql.Column("verdict", sql.String(64)),
    sql.Column("reason", sql.Text),
    sql.Column("previous", sql.String(64), nullable=False, unique=True),
    sql.Column("hash", sql.String(64), nullable=False, unique=True),
)
_ROLLOUT_TABLES = sql.MetaData()
ROLLOUTS = sql.Table(
    "bertline_rollouts",
    _ROLLOUT_TABLES,
    sql.Column("number", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("model", sql.String(256), nullable=False, index=True),
    sql.Column("champion", sql.Integer),
    sql.Column("champion_digest", sql.String(64)),
    sql.Column("challenger", sql.Integer),
    sql.Column("challenger_digest", sql.String(64), nullable=False),
    sql.Column("steps", sql.Text, nullable=False),
    sql.Column("place", sql.Integer, nullable=False),
    sql.Column("status", sql.String(16), nullable=False),
    sql.Column("since_s", sql.Float, nullable=False),
    sql.Column("revision", sql.Integer, nullable=False),
    sql.Column("slow_ms", sql.Float),
    sql.Column("plan", sql.Text, nullable=False),
    sql.Column("verdict", sql.String(64)),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("reason", sql.Text, nullable=False),
)
ROLLOUT_COUNTS = sql.Table(
    "bertline_rollout_counts",
    _ROLLOUT_TABLES,
    sql.Column("rollout", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("place", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("replica", sql.String(64), primary_key=True),
    *(
        sql.Column(one.name, sql.Float if one.type == "float" else sql.BigInteger, nullable=False)
        for one in fields(Tally)
    ),
)
VERDICTS = sql.Table(
    "bertline_verdicts",
    sql.MetaData(),
    sql.Column("hash", sql.String(64), primary_key=True),
    sql.Column("challenger", sql.String(64), nullable=False, index=True),
    sql.Column("created", sql.String(32), nullable=False),
    sql.Column("content", sql.Text, nullable=False),
)
_REFUSAL = "the log of deployments is append-only"


def _create(connection: sql.Connection) -> None:
    """The log, and triggers against changes by mistake; the chain of hashes is against those on purpose."""
    TABLES.create_all(connection)
    name = DEPLOYMENTS.name
    if connection.dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name}_no_{event.lower()} BEFORE {event} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    connection.exec_driver_sql(
        f"CREATE OR REPLACE FUNCTION {name}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {name}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}_refuse()"
    )


def _create_rollouts(connection: sql.Connection) -> None:
    _ROLLOUT_TABLES.create_all(connection)


MIGRATIONS = Migrations.named("bertline_registry_schema", (_create, _create_rollouts, VERDICTS.create))
HAS_ROLLOUTS = 2  # the version from which there are rollouts
HAS_VERDICTS = 3


def has_models(connection: sql.Connection) -> bool:
    """Whether MLflow has made its tables, with the columns that are read here."""
    inspector = sql.inspect(connection)
    return inspector.has_table(ALIASES.name) and "workspace" in {
        column["name"] for column in inspector.get_columns(ALIASES.name)
    }
