"""How the store finds rows, and how stores that exist get the indices for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions import figures
from bertline.lifecycle.predictions.annotators import annotators
from bertline.lifecycle.predictions.checks import DriftCheck, add_check, latest_checks
from bertline.lifecycle.predictions.feedback import adopt, receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.history import history
from bertline.lifecycle.predictions.judged import judged
from bertline.lifecycle.predictions.kept import kept_answers, kept_texts
from bertline.lifecycle.predictions.labelled import labelled_rows
from bertline.lifecycle.predictions.labelling import candidates
from bertline.lifecycle.predictions.schema import DRIFT_CHECKS, INDEXES, MIGRATIONS, PREDICTIONS
from bertline.lifecycle.predictions.store import open_store
from tests.kept import NEW, keep, store_in, sure
from tests.service.postgres import new_database

MODEL, NOW = "reviews", datetime.now(UTC)
SPAN = NOW - timedelta(days=7), NOW
READS: dict[str, Callable[[Database], Any]] = {
    "live accuracy": lambda store: figures.counts(store, MODEL),
    "a rollout's": lambda store: figures.counts(store, MODEL, since=SPAN[0], until=SPAN[1]),
    "the metric": figures.counts_of_all,
    "history": lambda store: history(store, MODEL, 7, NOW.timestamp()),
    "review": lambda store: candidates(store, MODEL),
    "annotators": lambda store: annotators(store, MODEL),
    "drift of texts": lambda store: kept_texts(store, MODEL, (SPAN[0], None), most=9),
    "drift of answers": lambda store: kept_answers(store, MODEL, NEW, (SPAN[0], None), most=9),
    "waiting feedback": adopt,
    "new labels": lambda store: figures.labelled_since(store, MODEL, SPAN[0]),
    "labelled rows": lambda store: [*labelled_rows(store, MODEL, since=SPAN[0], texts={}, counted=Counter())],
    "report": lambda store: (figures.states(store, MODEL, since=SPAN[0]), judged(store, MODEL, since=SPAN[0])),
}  # fmt: skip


def names(store: Database) -> set[str]:
    tables = {index.table.name for index in INDEXES if index.table is not None}
    with store.reading() as connection:
        return {str(one["name"]) for table in tables for one in sql.inspect(connection).get_indexes(table)}


def columns(store: Database) -> set[str]:
    with store.reading() as connection:
        return {str(one["name"]) for one in sql.inspect(connection).get_columns(DRIFT_CHECKS.name)}


def check(number: int, level: float | None) -> DriftCheck:
    at_ms = round(NOW.timestamp() * 1000) - 3_600_000 + number
    return DriftCheck(MODEL, at_ms, 500, "none", {"answers": 0.4}, None, level)


def of_version_3(store: Database) -> None:
    with store.changing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {DRIFT_CHECKS.name} DROP COLUMN level")
        for index in INDEXES:
            index.drop(connection)
        connection.execute(sql.update(MIGRATIONS.table).values(version=3))


def plans_of(store: Database, read: Callable[[Database], Any]) -> list[tuple[str, list[str]]]:
    """The statements that it reads with, and SQLite's plan of each, which is the same for any number of rows."""
    statements: list[tuple[str, Any]] = []
    sql.event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
    read(store)
    reading = [one for one in statements if one[0].startswith("SELECT") and "bertline_predictions" in one[0]]
    with store.engine.connect() as connection:
        found = [(one, connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values)) for one, values in reading]
        return [(one, [str(row[-1]) for row in rows]) for one, rows in found]


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_what_programs_read_again_and_again_scans_no_table(read: Callable[[Database], Any], tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        keep(store, [sure("good"), sure("bad")])
        receive(store, [Feedback("r0", "good"), Feedback("later", "good")])
        plans = plans_of(store, read)
    large = "bertline_predictions", "bertline_feedback"
    assert any(
        "FROM bertline_feedback" in statement or "FROM bertline_predictions " in statement for statement, _ in plans
    )
    for statement, steps in plans:
        assert not [one for one in steps if one.startswith("SCAN") and one.split()[1] in large], statement
        if "FROM bertline_feedback JOIN" in statement:  # there is less feedback than predictions
            assert steps[0].startswith("SEARCH bertline_feedback"), statement


FILLED = """
INSERT INTO bertline_predictions (id, request_id, item, at_ms, model, digest, role, output, text_hash, characters,
    read_tokens, cut_tokens, answer, redacted)
SELECT lpad(to_hex(:now - n * 1000), 12, '0') || substr(md5(n::text), 1, 20), 'q' || n, 0, :now - n * 1000,
    CASE WHEN n % 100 = 0 THEN 'rare' ELSE 'reviews' END, repeat('b', 64), 'answer', 'logits', md5(n::text), 40, 9, 0,
    '{"label": "good", "probabilities": {"good": 0.9, "bad": 0.1}}', false FROM generate_series(1, 20000::bigint) n
"""
JUDGED = """
INSERT INTO bertline_feedback (id, prediction, request_id, item, state, correct, "right", source, annotator,
    labelled_ms, received_ms)
SELECT 'f' || substr(id, 1, 31), id, request_id, 0, 'latest', '"good"', true, 'api', 'ana', at_ms, at_ms
FROM bertline_predictions WHERE item = 0 AND at_ms % 17000 < 1000
"""


def test_postgresql_finds_rows_by_indices_where_that_reads_less(postgres_url: str) -> None:
    """Its planner has statistics, so the table is large enough and they are made."""

    def plan(read: Callable[[Database], Any], part: str) -> str:
        seen: list[tuple[str, Any]] = []
        sql.event.listen(store.engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
        read(store)
        statement, values = next(one for one in seen if part in one[0] and one[0].startswith("SELECT"))
        with store.engine.connect() as connection:
            return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values))

    with open_store(new_database(postgres_url)) as store:
        keep(store, [sure("good")])
        keep(store, [sure("good")], model="rare")
        with store.changing() as connection:
            connection.execute(sql.text(FILLED), {"now": int(NOW.timestamp() * 1000)})
            connection.execute(sql.text(JUDGED))
            connection.execute(sql.text("ANALYZE"))
        assert "bertline_feedback_state" in plan(adopt, "FROM bertline_feedback")
        rare = plan(lambda store: kept_texts(store, "rare", (SPAN[0], None), most=9), "FROM bertline_predictions ")
        assert "bertline_predictions_model" in rare
        without_feedback = plan(lambda store: candidates(store, MODEL, most=50), "LEFT OUTER JOIN bertline_feedback")
        assert "Seq Scan on bertline_predictions" not in without_feedback, without_feedback


def test_a_store_of_an_earlier_version_gets_its_indices(store: Database) -> None:
    wanted = {str(index.name) for index in INDEXES}
    assert wanted <= names(store)
    records = keep(store, [sure("good")])
    of_version_3(store)
    assert not wanted & names(store)
    with open_store(store.url.render_as_string(hide_password=False)):
        assert wanted <= names(store)
    assert receive(store, [Feedback("r0", "good")])[0].status == "counted"  # a server that has run since before
    keep(store, [sure("good")], request="later")
    with store.reading() as connection:
        assert connection.scalar(sql.select(sql.func.min(PREDICTIONS.c.id))) == records[0].id


def test_a_store_of_an_earlier_version_gets_the_level_of_drift_checks(store: Database) -> None:
    old, new = check(1, None), check(2, 0.01)
    add_check(store, old)
    of_version_3(store)
    assert "level" not in columns(store)
    MIGRATIONS.prepare(store)
    assert "level" in columns(store)
    add_check(store, new)
    assert (history(store, MODEL, 7, NOW.timestamp()).checks, latest_checks(store)) == ([old, new], [new])


def test_whoever_may_only_read_does_without_the_indices(store: Database) -> None:
    keep(store, [sure("good")])
    receive(store, [Feedback("r0", "good")])
    add_check(store, check(1, 0.05))
    of_version_3(store)
    add_check(store, check(2, 0.05))  # by a server that may not change tables
    store.engine.dispose()
    only = "PRAGMA query_only = ON" if store.is_sqlite else "SET default_transaction_read_only = on"

    def connected(raw: Any, _: object) -> None:
        raw.execute(only)
        raw.commit()

    sql.event.listen(store.engine, "connect", connected)
    MIGRATIONS.prepare(store)
    assert not {str(index.name) for index in INDEXES} & names(store)
    assert figures.counts(store, MODEL)[NEW].right == 1
    assert history(store, MODEL, 7, NOW.timestamp()).checks == [check(1, None), check(2, None)]
    assert latest_checks(store) == [check(2, None)]
