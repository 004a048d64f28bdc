"""Real, tiny trainings with a real registry."""

from __future__ import annotations

from bertline.bundle.verify import read_manifest
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.reference import Reference
from tests.unit.lifecycle.retraining.conftest import World


def test_a_run_ends_with_a_challenger_in_the_shadow(world: World) -> None:
    result = world.with_settings(margin=45.0).retrainer.once(by_hand=True)
    journal = result.journal
    assert journal is not None
    assert (journal.outcome, journal.sentence) == (
        "challenger",
        "films:2 is the challenger and shadow; the champion is films:1",
    )
    print(journal)
    assert world.deployments() == [("champion", 1), ("challenger", 2), ("shadow", 2)]
    with Database(world.registry.place) as database:
        version = Catalogue(database).version(Reference("films", version=2))
    lineage = version.facts["lineage"]
    assert lineage["parent"] == "films:1"
    assert lineage["snapshot"] == journal.done["snapshot"]["sha256"]
    assert version.run == journal.done["train"]["run"]
