from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from bertline.bundle.signing import new_key, read_private_key, read_public_key
from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.described import judged, lines
from bertline.registry.reference import Reference
from bertline.registry.rollouts import Rollouts
from bertline.registry.schema import HAS_ROLLOUTS, MIGRATIONS, VERDICTS
from bertline.registry.verdicts import Verdicts
from tests.registered import digest_of, new_registry


def signed(created: str = "2026-11-29T10:00:00Z", **changes: Any) -> SignedVerdict:
    content: dict[str, Any] = {
        "challenger": digest_of("reviews", 2),
        "champion": digest_of("reviews", 1),
        "decision": "yes",
        "created": created,
        "details": {
            "checks": [
                {"name": "frozen rows", "decision": "yes", "sentence": "accuracy +0.4 points", "figures": {"rows": 3}}
            ],
            "data": {"a.csv": {"rows": 1000, "sha256": "ab"}, "b.csv": {"rows": 200, "sha256": "cd"}},
        },
    }
    return SignedVerdict(verdict=Verdict.model_validate(content | changes))


def kept_about(database: Database, version: int = 2) -> list[SignedVerdict | None]:
    return [one.signed for one in Verdicts(database).about(digest_of("reviews", version))]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(new_registry(tmp_path)) as one:
        yield one


def test_a_verdict_is_kept_once_with_its_signatures_and_the_newest_is_first(database: Database, tmp_path: Path) -> None:
    new_key(tmp_path / "gate.key")
    old, new = signed().signed(read_private_key(tmp_path / "gate.key")), signed("2026-11-30T10:00:00Z", decision="no")
    for one in (old, new, old):
        Verdicts(database).add(one)
    assert kept_about(database) == [new, old]
    assert kept_about(database, 1) == []


def test_a_verdict_that_is_kept_already_gets_the_signatures_that_it_lacks(database: Database, tmp_path: Path) -> None:
    keys = [tmp_path / "gate.key", tmp_path / "lead.key"]
    for key in keys:
        new_key(key)
    gate, lead = (signed().signed(read_private_key(key)) for key in keys)
    both = SignedVerdict(verdict=signed().verdict, signatures=(*gate.signatures, *lead.signatures))
    kept = []
    for one in (signed(), gate, signed(), lead, gate):
        Verdicts(database).add(one)
        kept += kept_about(database)
    assert kept == [signed(), gate, gate, both, both]


def test_a_rollout_keeps_the_verdict_that_began_it(database: Database) -> None:
    Deployments(database, "ana").promote(Reference("reviews", version=1), reason="first")
    begun = Rollouts(database, "ana").begin(Reference("reviews", version=2), ("shadow",), {}, verdict=signed())
    assert [one.hash for one in Verdicts(database).about(digest_of("reviews", 2))] == [begun.verdict]


def test_a_registry_of_an_earlier_bertline_has_none_and_gets_them_with_the_next_promotion(database: Database) -> None:
    assert kept_about(database) == []
    deployments = Deployments(database, "ana")
    deployments.promote(Reference("reviews", version=1), reason="first")
    with database.changing() as connection:  # as it was before there were verdicts
        VERDICTS.drop(connection)
        connection.execute(sql.update(MIGRATIONS.table).values(version=HAS_ROLLOUTS))
    assert kept_about(database) == []
    assert deployments.promote(Reference("reviews", version=2), verdict=signed()) is not None
    assert kept_about(database) == [signed()]
    assert [one.to_version for one in deployments.entries()] == [1, 2]


@pytest.mark.parametrize(
    ("column", "value", "found_at"),
    [
        ("content", signed(decision="no").model_dump_json(), 2),
        ("content", "{}", 2),
        ("challenger", digest_of("reviews", 3), 3),
        ("created", "2027-01-01T00:00:00Z", 2),
    ],
    ids=["another content", "no content", "another challenger", "another time"],
)
def test_a_verdict_that_was_changed_in_the_database_is_shown_as_that_beside_others(
    database: Database, column: str, value: str, found_at: int
) -> None:
    other = signed("2026-11-28T10:00:00Z", challenger=digest_of("reviews", found_at))
    for one in (signed(), other):
        Verdicts(database).add(one)
    hash_ = signed().verdict.hash
    with database.changing() as connection:
        connection.execute(sql.update(VERDICTS).where(VERDICTS.c.hash == hash_).values({column: value}))
    changed, whole = Verdicts(database).about(digest_of("reviews", found_at))
    assert (changed.hash, changed.signed, whole.signed) == (hash_, None, other)
    version = Catalogue(database).version(Reference("reviews", version=2))
    (said, _) = [text for name, text in lines(version, [changed, whole]) if name == "gate"]
    assert said.startswith(f"the verdict {hash_[:12]}, 202")
    assert said.endswith("was changed after it was written: do not rely on it, and restore the registry from a backup")


def test_a_verdict_is_a_line_of_its_version(database: Database) -> None:
    version = Catalogue(database).version(Reference("reviews", version=2))
    Verdicts(database).add(signed())
    verdicts = Verdicts(database).about(digest_of("reviews", 2))
    said = dict(lines(version, verdicts, {digest_of("reviews", 1): "reviews:1"}))
    assert said["gate"] == "yes, 2026-11-29 10:00:00 UTC, 1,200 rows, against reviews:1, unsigned: accuracy +0.4 points"
    assert "gate" not in dict(lines(version))


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"champion": None}, ", 1,200 rows, without a champion, unsigned: accuracy +0.4 points"),
        ({}, f", 1,200 rows, against {digest_of('reviews', 1)[:12]}, unsigned: accuracy +0.4 points"),
        ({"details": {}}, f"UTC, against {digest_of('reviews', 1)[:12]}, unsigned"),
        (
            {
                "decision": "no",
                "details": {
                    "checks": [
                        {"name": "bounds", "decision": "no", "sentence": "accuracy is 0.7"},
                        {"name": "size", "decision": "yes", "sentence": "92 MB"},
                        {"name": "latency", "decision": "no", "sentence": "1.4 times"},
                        {"what": "another gate's"},
                    ]
                },
            },
            ": bounds: accuracy is 0.7; latency: 1.4 times",
        ),
    ],
    ids=["no champion", "unknown champion", "no details", "no"],
)
def test_the_line_says_against_whom_and_why(changes: dict[str, Any], end: str) -> None:
    assert judged(signed(**changes)).endswith(end)


def test_the_line_says_who_signed_and_whether_that_is_true(tmp_path: Path) -> None:
    trusted = [new_key(tmp_path / "gate.key")]
    verdict = signed().signed(read_private_key(tmp_path / "gate.key"))
    key = f"key {trusted[0].id}"
    assert f", signed by {key}, not verified: " in judged(verdict)
    assert f", signed by {key}, verified: " in judged(verdict, trusted=trusted)
    other = SignedVerdict(verdict=signed(decision="no").verdict, signatures=verdict.signatures)
    assert f", with a wrong signature by {key}" in judged(other, trusted=trusted)
    both = other.signed(read_private_key(_another(tmp_path)))
    assert both.signature(trusted) == "wrong"
    assert both.signature([read_public_key(tmp_path / "lead.key.pub")]) == "verified"


def _another(folder: Path) -> Path:
    new_key(folder / "lead.key")
    return folder / "lead.key"
