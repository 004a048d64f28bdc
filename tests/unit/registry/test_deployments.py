from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from mlflow.tracking import MlflowClient

from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.errors import RegistryError, UsageError
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.schema import DEPLOYMENTS
from bertline.registry.verdicts import Verdicts
from tests.registered import digest_of, new_registry


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_registry(tmp_path)


@pytest.fixture
def deployments(url: str) -> Iterator[Deployments]:
    with Database(url) as database:
        yield Deployments(database, "ana@build-7")


def reviews(version: int) -> Reference:
    return Reference("reviews", version=version)


def verdict(challenger: int, champion: int | None, decision: str = "yes") -> SignedVerdict:
    content: Any = {
        "challenger": digest_of("reviews", challenger),
        "champion": champion and digest_of("reviews", champion),
        "decision": decision,
        "created": "2026-11-29T10:00:00Z",
    }
    return SignedVerdict(verdict=Verdict.model_validate(content))


def promoted(deployments: Deployments, *versions: int) -> None:
    for version in versions:
        assert deployments.promote(reviews(version), reason="by hand")


def test_a_promotion_moves_the_alias_and_says_who_from_what_to_what(deployments: Deployments, url: str) -> None:
    promoted(deployments, 1)
    judged = verdict(2, 1)
    entry = deployments.promote(reviews(2), verdict=judged)
    assert entry is not None
    assert deployments.current("reviews", "champion") == 2
    assert deployments.entries("reviews")[-1] == entry
    assert (entry.number, entry.by, entry.action, entry.alias) == (2, "ana@build-7", "promote", "champion")
    assert (entry.from_version, entry.from_digest) == (1, digest_of("reviews", 1))
    assert (entry.to_version, entry.to_digest) == (2, digest_of("reviews", 2))
    assert (entry.verdict, entry.reason) == (judged.verdict.hash, None)
    assert deployments.faults() == []
    with Database(url) as database:
        assert [one.signed for one in Verdicts(database).about(digest_of("reviews", 2))] == [judged]


def test_a_champion_needs_a_verdict_or_a_reason_and_other_aliases_neither(deployments: Deployments) -> None:
    with pytest.raises(
        UsageError, match=r"promoting reviews:1 to champion needs a gate's verdict: give --verdict FILE"
    ):
        deployments.promote(reviews(1))
    assert deployments.promote(reviews(1), "challenger") is not None
    assert deployments.current("reviews", "champion") == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            verdict(3, 1),
            r"the verdict is about the bundle [0-9a-f]{12}, and reviews:2 is [0-9a-f]{12}: run the gate on it",
        ),
        (verdict(2, 3), r"the verdict compared reviews:2 with [0-9a-f]{12}, and the champion is reviews:1 .* now: run"),
        (verdict(2, None), "the verdict compared reviews:2 with no champion, and the champion is reviews:1"),
        (verdict(2, 1, "no"), "the gate decided no on reviews:2: look at its report, or give --force REASON"),
        (verdict(2, 1, "undecided"), "the gate could not decide on reviews:2"),
    ],
)
def test_a_verdict_about_something_else_or_against_it_promotes_nothing(
    deployments: Deployments, url: str, given: SignedVerdict, sentence: str
) -> None:
    promoted(deployments, 1)
    with pytest.raises(RegistryError, match=sentence):
        deployments.promote(reviews(2), verdict=given)
    assert deployments.current("reviews", "champion") == 1
    assert len(deployments.entries()) == 1
    with Database(url) as database:
        assert Verdicts(database).about(given.verdict.challenger) == []


def test_the_first_champion_has_a_verdict_without_one_before(deployments: Deployments) -> None:
    assert deployments.promote(reviews(1), verdict=verdict(1, None)) is not None


def test_promoting_the_champion_again_changes_nothing(deployments: Deployments) -> None:
    promoted(deployments, 1)
    assert deployments.promote(reviews(1), reason="again") is None
    assert len(deployments.entries()) == 1


def test_whoever_decided_by_what_is_no_longer_so_gets_a_sentence(deployments: Deployments) -> None:
    promoted(deployments, 1)
    sentence = (
        "somebody else moved the champion of reviews meanwhile, it is reviews:1 now: look at bertline models history"
    )
    with pytest.raises(RegistryError, match=sentence):
        deployments.promote(reviews(2), reason="by hand", expected=0)


def test_rollbacks_go_further_and_further_back_and_are_recorded(deployments: Deployments) -> None:
    promoted(deployments, 1, 2, 3)
    assert [deployments.rollback("reviews", reason="bad").to_version for _ in range(2)] == [2, 1]
    with pytest.raises(
        RegistryError, match="reviews has no earlier champion to go back to, reviews:1 is the first one"
    ):
        deployments.rollback("reviews")
    promoted(deployments, 4)
    assert deployments.rollback("reviews").to_version == 1
    assert [one.action for one in deployments.entries()][3:] == ["rollback", "rollback", "promote", "rollback"]
    assert deployments.faults() == []


def test_a_rollback_passes_over_versions_that_were_deleted(deployments: Deployments, url: str) -> None:
    promoted(deployments, 1, 2, 3)
    MlflowClient(tracking_uri=url, registry_uri=url).delete_model_version("reviews", "2")
    assert deployments.rollback("reviews").to_version == 1


def test_without_a_champion_there_is_nothing_to_go_back_to(deployments: Deployments) -> None:
    with pytest.raises(RegistryError, match="reviews has no earlier champion to go back to, there is none now"):
        deployments.rollback("reviews")


def test_a_move_by_another_program_is_found_and_can_be_rolled_back(deployments: Deployments, url: str) -> None:
    promoted(deployments, 1, 2)
    MlflowClient(tracking_uri=url, registry_uri=url).set_registered_model_alias("reviews", "champion", "4")
    assert deployments.faults() == [
        "the champion of reviews is version 4, and entry 2, its last one, says 2: another program moved it"
    ]
    assert deployments.rollback("reviews").to_version == 2
    assert deployments.faults() == []
    assert deployments.rollback("reviews").to_version == 1


def test_a_move_can_be_undone_until_the_alias_is_moved_again(deployments: Deployments, url: str) -> None:
    first = deployments.promote(reviews(1), "challenger")
    second = deployments.promote(reviews(2), "challenger")
    assert first is not None
    assert second is not None
    assert deployments.undo(first, "no") is None
    assert deployments.current("reviews", "challenger") == 2
    back = deployments.undo(second, "rejected")
    assert back is not None
    assert (back.action, back.from_version, back.to_version, back.reason) == ("rollback", 2, 1, "rejected")
    assert deployments.undo(second, "again") is None
    third = deployments.promote(reviews(3), "challenger")
    assert third is not None
    MlflowClient(tracking_uri=url, registry_uri=url).delete_model_version("reviews", "1")
    removed = deployments.undo(third, "rejected")
    assert removed is not None
    assert removed.to_version is None
    assert deployments.current("reviews", "challenger") == 0
    assert deployments.faults() == []


def test_an_alias_of_another_program_is_not_undone(deployments: Deployments, url: str) -> None:
    entry = deployments.promote(reviews(1), "challenger")
    assert entry is not None
    MlflowClient(tracking_uri=url, registry_uri=url).set_registered_model_alias("reviews", "challenger", "3")
    assert deployments.undo(entry, "rejected") is None
    assert deployments.current("reviews", "challenger") == 3


def test_each_alias_of_each_model_has_its_own_past(deployments: Deployments) -> None:
    promoted(deployments, 1, 2)
    deployments.promote(reviews(3), "shadow")
    deployments.promote(Reference("topics", version=1), reason="first")
    assert deployments.rollback("reviews").to_version == 1
    assert [one.number for one in deployments.entries("topics")] == [4]
    assert deployments.current("reviews", "shadow") == 3


def test_a_past_that_was_changed_by_hand_is_found(deployments: Deployments, url: str) -> None:
    promoted(deployments, 1, 2, 3)
    with Database(url) as database, database.changing() as connection:
        connection.exec_driver_sql("DROP TRIGGER bertline_deployments_no_update")
        connection.execute(sql.update(DEPLOYMENTS).where(DEPLOYMENTS.c.number == 2).values(by="nobody"))
    assert deployments.faults() == ["entry 2 of the log of deployments was changed after it was written"]


def test_a_version_that_became_another_bundle_is_found(deployments: Deployments, url: str) -> None:
    promoted(deployments, 1)
    MlflowClient(tracking_uri=url, registry_uri=url).set_model_version_tag("reviews", "1", "bertline.digest", "c" * 64)
    assert deployments.faults() == [
        f"reviews:1 is the bundle {'c' * 12}, and entry 1 deployed {digest_of('reviews', 1)[:12]}: its digest was "
        "changed"
    ]


def test_a_log_that_nobody_wrote_is_empty_and_whole(deployments: Deployments) -> None:
    assert deployments.entries() == []
    assert deployments.faults() == []
    assert deployments.faults(head="0" * 64) == []
