"""The tables of predictions and feedback, and their versions.

Times are milliseconds since 1970 in UTC. What is JSON is text in ASCII, so that every database can hold every
character. A row's id begins with its time (as in RFC 9562, version 7), so that indexes grow at their end.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sql

from bertline.database.migrations import Migrations

TABLES = sql.MetaData()
# States of feedback: it counts; a later one about the same prediction counts instead; its prediction is not known
# (yet); the model of its prediction cannot have given this answer.
LATEST, SUPERSEDED, WAITING, INVALID = "latest", "superseded", "waiting", "invalid"

KEY = sql.Table("bertline_predictions_key", TABLES, sql.Column("key", sql.String(32), primary_key=True))
MODELS = sql.Table(
    "bertline_predictions_models",
    TABLES,
    sql.Column("digest", sql.String(64), primary_key=True),
    sql.Column("model", sql.String(256), primary_key=True),
    sql.Column("spec", sql.Text, nullable=False),
    sql.Column("first_ms", sql.BigInteger, nullable=False),
)
PREDICTIONS = sql.Table(
    "bertline_predictions",
    TABLES,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("request_id", sql.String(128), nullable=False),
    sql.Column("item", sql.Integer, nullable=False),
    sql.Column("at_ms", sql.BigInteger, nullable=False),
    sql.Column("model", sql.String(256), nullable=False),
    sql.Column("digest", sql.String(64), nullable=False),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("output", sql.String(32), nullable=False),
    sql.Column("text_hash", sql.String(32), nullable=False),
    sql.Column("characters", sql.Integer, nullable=False),
    sql.Column("read_tokens", sql.Integer, nullable=False),
    sql.Column("cut_tokens", sql.Integer, nullable=False),
    sql.Column("answer", sql.Text, nullable=False),
    sql.Column("client", sql.String(256)),
    sql.Column("texts", sql.Text),
    sql.Column("redacted", sql.Boolean, nullable=False),
    sql.Column("embedding", sql.LargeBinary),
    sql.Index("bertline_predictions_request", "request_id", "item"),
    sql.Index("bertline_predictions_at", "at_ms"),
    sql.Index("bertline_predictions_client", "client"),
    sql.Index("bertline_predictions_text", "text_hash"),
)
FEEDBACK = sql.Table(
    "bertline_feedback",
    TABLES,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("prediction", sql.String(32)),
    sql.Column("request_id", sql.String(128), nullable=False),
    sql.Column("item", sql.Integer, nullable=False),
    sql.Column("state", sql.String(16), nullable=False),
    sql.Column("correct", sql.Text, nullable=False),
    sql.Column("right", sql.Boolean),
    sql.Column("off", sql.Float),
    sql.Column("source", sql.String(64), nullable=False),
    sql.Column("annotator", sql.String(128), nullable=False),
    sql.Column("client", sql.String(256)),
    sql.Column("labelled_ms", sql.BigInteger, nullable=False),
    sql.Column("received_ms", sql.BigInteger, nullable=False),
    sql.Index("bertline_feedback_prediction", "prediction"),
    sql.Index("bertline_feedback_request", "request_id", "item"),
    sql.Index("bertline_feedback_received", "received_ms"),
)
DRIFT_CHECKS = sql.Table(
    "bertline_drift_checks",
    sql.MetaData(),  # not of the first step
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("model", sql.String(256), nullable=False),
    sql.Column("at_ms", sql.BigInteger, nullable=False),
    sql.Column("texts", sql.Integer, nullable=False),
    sql.Column("kind", sql.String(16), nullable=False),
    sql.Column("p_values", sql.Text, nullable=False),
    sql.Column("accuracy", sql.Float),
    sql.Column("level", sql.Float),
    sql.Index("bertline_drift_checks_model", "model", "id"),
)
ACCURACY_CHECKS = sql.Table(
    "bertline_accuracy_checks",
    sql.MetaData(),  # not of the first step
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("model", sql.String(256), nullable=False),
    sql.Column("digest", sql.String(64), nullable=False),
    sql.Column("at_ms", sql.BigInteger, nullable=False),
    sql.Column("labels", sql.Integer, nullable=False),
    sql.Column("accuracy", sql.Float, nullable=False),
    sql.Column("expected", sql.Float, nullable=False),
    sql.Column("dropped", sql.Boolean, nullable=False),
    sql.Column("since_ms", sql.BigInteger),
    sql.Index("bertline_accuracy_checks_model", "model", "id"),
)
# Texts that are with somebody who labels them, or that somebody skipped, until a moment. Equal texts are one.
LEASES = sql.Table(
    "bertline_review_leases",
    sql.MetaData(),  # not of the first step
    sql.Column("model", sql.String(256), primary_key=True),
    sql.Column("text_hash", sql.String(32), primary_key=True),
    sql.Column("annotator", sql.String(128), primary_key=True),
    sql.Column("holder", sql.String(64), primary_key=True),
    sql.Column("state", sql.String(16), nullable=False),
    sql.Column("until_ms", sql.BigInteger, nullable=False),
)


def _create(connection: sql.Connection) -> None:
    TABLES.create_all(connection)
    connection.execute(sql.insert(KEY).values(key=secrets.token_hex(16)))


# The latest predictions of a model, and those since a moment: their ids begin with it. The feedback that counts on
# predictions of any time, without its rows; and the few that wait.
INDEXES = (
    sql.Index("bertline_predictions_model", PREDICTIONS.c.model, PREDICTIONS.c.role, PREDICTIONS.c.id),
    sql.Index(
        "bertline_feedback_state", FEEDBACK.c.state, FEEDBACK.c.prediction, FEEDBACK.c.right, FEEDBACK.c.received_ms
    ),
)


def _index(connection: sql.Connection) -> None:
    for index in INDEXES:
        index.create(connection, checkfirst=True)  # the first step has created them, in a new store


def _add_level(connection: sql.Connection) -> None:
    if "level" not in {column["name"] for column in sql.inspect(connection).get_columns(DRIFT_CHECKS.name)}:
        connection.exec_driver_sql(f"ALTER TABLE {DRIFT_CHECKS.name} ADD COLUMN level FLOAT")


def _add_accuracy_checks(connection: sql.Connection) -> None:
    ACCURACY_CHECKS.create(connection, checkfirst=True)


# Step n turns version n into version n + 1. The first creates the tables.
MIGRATIONS = Migrations.named(
    "bertline_predictions_schema",
    (_create, DRIFT_CHECKS.create, LEASES.create, _index, _add_level, _add_accuracy_checks),
    enough=3,
)
