"""Real, tiny trainings with a real registry."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql
from mlflow.tracking import MlflowClient

from bertline.bundle.seen import seen_among
from bertline.bundle.verify import read_manifest
from bertline.data.examples import read_examples
from bertline.errors import BertlineError, DataError, DestinationError, RegistryError, UsageError
from bertline.lifecycle.predictions.accuracy_checks import latest_accuracy_checks
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.records import PredictionStoreError, ms_of
from bertline.lifecycle.predictions.schema import DRIFT_CHECKS
from bertline.lifecycle.predictions.store import open_store
from bertline.lifecycle.retraining import corpus, drifted, registering_steps
from bertline.lifecycle.retraining import run as steps
from bertline.lifecycle.retraining.retrainer import Result, Retrainer, watch
from bertline.lifecycle.rollout import overdue
from bertline.registry.add import add
from bertline.registry.catalogue import Catalogue
from bertline.registry.database import Database
from bertline.registry.deployments import Deployments
from bertline.registry.reference import Reference
from bertline.registry.resolve import locate, look_up
from bertline.registry.rollout import Tally
from bertline.registry.rollouts import Rollouts
from bertline.registry.schema import ROLLOUTS
from bertline.registry.verdicts import Verdicts
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from tests.kept import keep, store_in, sure
from tests.nightly import mostly_nightly
from tests.unit.lifecycle.retraining.conftest import NOW, World, append
from tests.unit.training.conftest import sentences


def runs(world: World) -> list[object]:
    client = MlflowClient(tracking_uri=world.registry.place, registry_uri=world.registry.place)
    experiment = client.get_experiment_by_name("bertline")
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def test_a_run_ends_with_a_challenger_in_the_shadow_and_then_it_cools_down(world: World) -> None:
    journal = world.retrainer.once().journal  # films:1 was added more than a day before
    assert journal is not None
    assert journal.outcome == "challenger"
    assert journal.sentence == "films:2 is the challenger, in the shadow; the champion is films:1"
    assert list(journal.done) == list(steps.STEPS)
    assert world.deployments() == [("champion", 1), ("challenger", 2), ("shadow", 2)]
    with Database(world.registry.place) as database:
        version = Catalogue(database).version(Reference("films", version=2))
    lineage = version.facts["lineage"]
    assert (lineage["parent"], lineage["parent_version"]) == ("films:1", journal.digest)
    assert (lineage["snapshot"], lineage["rows_added"]) == (journal.done["snapshot"]["sha256"], 0)
    (tracked,) = runs(world)
    assert version.run == tracked.info.run_id  # type: ignore[attr-defined]
    assert tracked.data.tags["bertline.gate"] == "yes"  # type: ignore[attr-defined]
    assert tracked.data.tags["bertline.verdict"] == journal.done["gate"]["verdict"]  # type: ignore[attr-defined]
    folder = world.retrainer.home.folder(journal)
    with Database(world.registry.place) as database:
        (kept,) = Verdicts(database).about(journal.done["gate"]["challenger"])
    assert kept.signed is not None
    assert kept.signed.to_file() == (folder / "verdict.json").read_bytes()
    assert "frozen.csv" in (folder / "gate.html").read_text(encoding="utf-8")
    bundle = folder / "bundle" / "films"
    judged = [one.input for one in read_examples(str(world.frozen)).examples]
    seen = seen_among(bundle, judged)
    assert seen is not None
    assert not seen.any()
    retrainer = world.retrainer
    later = replace(retrainer, now=lambda: NOW + timedelta(minutes=59))
    waits = later.look().against[-1]
    assert waits.startswith("films:2 is being rolled out, shadow, until ")
    assert waits.endswith(
        " UTC at the latest, and no server has counted a request for it: let a server follow models:/films@champion, "
        "or end it with bertline models rollout films --abort"
    )
    world.end_rollout()
    assert later.look(by_hand=False).against == (
        "the schedule is due at 2050-12-01 12:00 UTC",
        "cools down until 2050-11-30 13:00 UTC (--cooldown 1h)",
    )
    assert later.once().journal is None
    assert later.look(by_hand=True).due
    assert replace(retrainer, now=lambda: NOW + timedelta(days=1)).look().due


def test_a_shadow_that_no_server_follows_is_ended_when_its_time_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.retrainer.once().journal is not None
    tomorrow = replace(world.retrainer, now=lambda: NOW + timedelta(days=2))
    assert not tomorrow.look(by_hand=True).due
    late_s = time.time() + 86_400 + 90
    monkeypatch.setattr(overdue.time, "time", lambda: late_s)  # of this process, so of the retrainer too
    decision = tomorrow.look()
    assert decision.due
    why = "no server has ended it; undecided after 86"
    assert decision.against[0].startswith(f"rollout 1 of films:2 ends when the next run begins: {why}")
    assert decision.against[0].endswith(" s, 0 of 100 requests; no requests yet")
    append(world.table, sentences(20, seed=3))
    journal = tomorrow.once().journal
    assert journal is not None
    assert (journal.outcome, journal.done["shadow"]) == ("challenger", {"rollout": 2})
    assert world.deployments()[3:] == [("shadow", None), ("challenger", 3), ("shadow", 3)]
    with Database(world.registry.place) as database:
        (entry,) = [one for one in Deployments(database, "x").entries("films") if one.to_version is None]
    assert (entry.reason or "").startswith(why)
    assert entry.by == "ana"


def promote_second(world: World, model: Path) -> None:
    """Another champion, films:2, that servers watch."""
    settings = TrainSettings(model=str(model), epochs=2, max_tokens=32, precision="fp32", lr=2e-3, seed=5)
    train(str(world.table), world.folder / "second", settings, Silent())
    added = add(world.folder / "second", "films", world.registry, by="ana")
    with Database(world.registry.place) as database:
        second = Reference("films", version=added.version.version)
        Deployments(database, "ana").promote(second, reason="by hand")


def fail_the_watch(world: World) -> None:
    """Servers count that the champion under watch fails, and then there are none for two days."""
    with Database(world.registry.place) as database:
        rollouts = Rollouts(database)
        going = rollouts.current("films")
        assert going is not None
        worse = Tally(champion_requests=1000, challenger_requests=1000, challenger_errors=900)
        rollouts.count(going, "a server", worse)
        with database.changing() as connection:
            connection.execute(sql.update(ROLLOUTS).values(since_s=time.time() - 2 * 86_400))


def test_an_overdue_watch_ends_before_a_run_takes_the_champion(world: World, model: Path) -> None:
    promote_second(world, model)
    assert not world.retrainer.look(by_hand=True).due
    fail_the_watch(world)
    journal = world.retrainer.once(by_hand=True).journal
    assert journal is not None
    assert (journal.outcome, journal.champion, journal.done["gate"]["champion"]) == ("challenger", 1, 1)
    assert world.deployments()[2:] == [("champion", 1), ("challenger", 3), ("shadow", 3)]


@pytest.mark.parametrize("step", mostly_nightly(["register", "record"], always=1))
def test_a_watch_that_is_overdue_after_the_gate_ends_before_the_verdict_counts(
    world: World, model: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, optimize = steps.STEPS[step], steps.STEPS["optimize"]

    def promoted(run: steps.Run) -> steps.Facts:
        promote_second(world, model)
        return optimize(run)

    def failed(run: steps.Run) -> steps.Facts:
        if run.journal.done["gate"]["champion"] == 2:
            fail_the_watch(world)
        return real(run)

    monkeypatch.setitem(steps.STEPS, "optimize", promoted)
    monkeypatch.setitem(steps.STEPS, step, failed)
    journal = world.retrainer.once(by_hand=True).journal
    assert journal is not None
    assert (journal.outcome, journal.done["gate"]["champion"]) == ("challenger", 1)
    assert list(journal.done) == list(steps.STEPS)
    assert [one for one in world.deployments() if one[0] == "champion"] == [("champion", n) for n in (1, 2, 1)]
    assert world.deployments()[-1] == ("shadow", 3)


def test_a_gate_that_says_no_leaves_the_champion_and_a_record(world: World) -> None:
    strict = world.with_settings(minimum=("accuracy=1.01",))
    journal = strict.retrainer.once(by_hand=True).journal
    assert journal is not None
    assert journal.outcome == "rejected"
    assert "bounds · frozen.csv: " in (journal.sentence or "")
    assert (journal.sentence or "").endswith("; the champion stays films:1")
    assert world.deployments() == [("champion", 1)]
    with Database(world.registry.place) as database:
        assert [one.version for one in Catalogue(database).versions("films")] == [1]
    (tracked,) = runs(world)
    assert tracked.data.tags["bertline.gate"] == "no"  # type: ignore[attr-defined]


@pytest.mark.parametrize("before", mostly_nightly([1, None], always=1))
def test_a_challenger_that_is_rejected_in_the_end_loses_its_alias(
    world: World, model: Path, before: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, register = steps.STEPS["gate"], steps.STEPS["register"]
    with Database(world.registry.place) as database:
        if before:
            Deployments(database, "ana").promote(Reference("films", version=before), "challenger")

    def worse(run: steps.Run) -> steps.Facts:
        facts = gate(run)
        return facts if facts["champion"] == 1 else {**facts, "decision": "no", "reasons": ["accuracy: it is worse"]}

    def promoted(run: steps.Run) -> steps.Facts:
        facts = register(run)
        promote_second(world, model)
        return facts

    monkeypatch.setitem(steps.STEPS, "gate", worse)
    monkeypatch.setitem(steps.STEPS, "register", promoted)
    journal = world.retrainer.once(by_hand=True).journal
    assert journal is not None
    now = "names films:1 again" if before else "is removed"
    assert (journal.outcome, journal.sentence) == (
        "rejected",
        "the gate said no: accuracy: it is worse; the champion stays films:3; the alias challenger, which named "
        f"films:2, {now}",
    )
    assert world.deployments()[-3:] == [("challenger", 2), ("champion", 3), ("challenger", before)]
    with Database(world.registry.place) as database:
        deployments = Deployments(database, "test")
        assert deployments.faults() == []
        assert deployments.current("films", "challenger") == (before or 0)
        assert deployments.entries("films")[-1].reason == f"rejected by the gate in run {journal.id}"


@pytest.mark.parametrize("killed", mostly_nightly([True, False], always=1))
def test_a_challenger_that_was_promoted_meanwhile_ends_the_run(
    world: World, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = steps.STEPS["register"]

    def promoted(run: steps.Run) -> steps.Facts:
        facts = register(run)
        with Database(world.registry.place) as database:
            Deployments(database, "bo").promote(Reference("films", version=2), reason="by hand, meanwhile")
        if killed:
            raise KeyboardInterrupt
        return facts

    with monkeypatch.context() as patch:
        patch.setitem(steps.STEPS, "register", promoted)
        if killed:
            with pytest.raises(KeyboardInterrupt):
                world.retrainer.once(by_hand=True)
            patch.undo()
        journal = world.retrainer.once(by_hand=True).journal
    assert journal is not None
    assert (journal.outcome, journal.sentence) == (
        "champion",
        "films:2 was promoted meanwhile, it is the champion",
    )
    assert world.deployments() == [("champion", 1), ("challenger", 2), ("champion", 2)]
    assert world.retrainer.unfinished() is None


def test_a_step_that_cannot_be_done_now_is_done_the_next_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise RegistryError("the registry is away")

    with monkeypatch.context() as patch:
        patch.setattr(registering_steps, "add", away)
        with pytest.raises(RegistryError):
            world.retrainer.once(by_hand=True)
    unfinished = world.retrainer.unfinished()
    assert unfinished is not None
    assert steps.next_step(unfinished) == "register"
    other = world.with_settings(no_shadow=True).retrainer  # an unfinished run keeps its settings
    result = other.once()
    assert result.decision is None
    assert result.journal is not None
    assert (result.journal.id, result.journal.outcome) == (unfinished.id, "challenger")
    assert world.deployments() == [("champion", 1), ("challenger", 2), ("shadow", 2)]
    assert len(runs(world)) == 1


def test_an_interrupted_run_can_be_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(steps.STEPS, "validate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.retrainer.once(by_hand=True)
    result = world.with_settings(every=None).retrainer.once(restart=True)
    assert result.journal is None
    assert [one.outcome for one in world.retrainer.home.journals()] == ["given up"]


@pytest.mark.drill
def test_a_champion_that_was_replaced_meanwhile_is_judged_against(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.retrainer.once(by_hand=True).journal
    assert first is not None
    world.end_rollout()
    real = steps.STEPS["record"]

    def promoted(run: steps.Run) -> steps.Facts:
        with Database(world.registry.place) as database:
            two = Reference("films", version=2)
            Deployments(database, "bo").promote(two, reason="by hand, meanwhile", watch=None)
        return real(run)

    with monkeypatch.context() as patch:
        patch.setitem(steps.STEPS, "record", promoted)
        append(world.table, sentences(40, seed=11))
        journal = world.retrainer.once(by_hand=True).journal
    assert journal is not None
    assert journal.outcome == "challenger"
    assert journal.done["gate"]["champion"] == 2
    assert journal.done["gate"]["looks"] == 2  # the same frozen rows judged two challengers
    assert world.deployments()[-3:] == [("champion", 2), ("challenger", 3), ("shadow", 3)]


def test_rows_with_other_labels_are_refused_and_recorded(world: World) -> None:
    append(world.table, [(f"film number {i}", "odd") for i in range(5)])
    with pytest.raises(DataError) as raised:
        world.retrainer.once(by_hand=True)
    assert str(raised.value) == (
        "the rows have labels that films:1 does not know ('odd'): train a model for them with bertline train, because "
        "a gate compares models with the same labels"
    )
    (journal,) = world.retrainer.home.journals()
    assert (journal.outcome, journal.sentence) == ("failed", str(raised.value))
    assert world.retrainer.once().journal is None  # it cools down after a failure too


def test_runs_that_fail_leave_no_more_rows_behind_than_others(world: World) -> None:
    failing = world.with_settings(keep=1).retrainer
    for odd in range(2):
        append(world.table, [(f"film number {odd}", "odd")])
        with pytest.raises(DataError):
            failing.once(by_hand=True)
    _, last = failing.home.journals()
    assert [one.name for one in (failing.home.path / "snapshots").iterdir()] == [last.done["snapshot"]["sha256"]]


def test_rows_without_one_of_the_labels_are_refused(world: World) -> None:
    world.table.write_text("text,label\n" + "\n".join(f"film number {i},good" for i in range(60)))
    with pytest.raises(DataError) as raised:
        world.retrainer.once(by_hand=True)
    assert str(raised.value) == (
        "no row has a label that films:1 knows ('bad'): add the tables that it was trained on with --data"
    )


def test_another_process_that_retrains_the_model_is_named(world: World) -> None:
    with world.retrainer.home.alone(), pytest.raises(DestinationError, match="is being written by process"):
        world.retrainer.once()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": ()}, "there are no rows to train films on: give --data TABLE, or --feedback URL"),
        (
            {"frozen": ()},
            "there are no rows to judge films by: give --frozen TABLE, labelled rows that are never trained on",
        ),
        (
            {"minimum": ("accuracy",)},
            "--minimum 'accuracy' is not NAME=NUMBER: give a figure and its bound, such as accuracy=0.82",
        ),
    ],
)
def test_what_every_run_needs(world: World, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        world.with_settings(**changes).retrainer.look()
    assert str(raised.value) == message


def test_new_labels_are_counted_from_the_last_run(world: World) -> None:
    world = world.with_settings(every=None, labels=30)
    assert world.retrainer.look().against == ("0 new labelled rows, 30 make a run due",)
    append(world.table, sentences(40, seed=11))
    assert world.retrainer.look().because == ("40 new labelled rows, 30 make a run due",)
    assert world.retrainer.once().journal is not None
    world.end_rollout()
    later = replace(world.retrainer, now=lambda: NOW + timedelta(days=2))
    assert later.look().against == ("0 new labelled rows since the last run, 30 make a run due",)


class Exported:
    """Labelled rows of production."""

    def export(self, target: Path) -> int:
        rows = sentences(60, seed=23)
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
        target.write_text("".join(lines), encoding="utf-8")
        return len(rows)


def test_rows_that_only_judge_make_no_run_due(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No champion ever learns from them, so the next run would be due as soon as the last has cooled down."""
    monkeypatch.setattr(corpus, "LEAST_FRESH", 5)
    world = world.with_settings(every=None, labels=10, fresh_ratio=0.5)
    retrainer = replace(world.retrainer, labelled=Exported())
    champion = locate(look_up(Reference("films", version=1), world.registry)).path
    export = world.folder / "feedback.jsonl"
    Exported().export(export)
    collected = corpus.collect(champion, read_manifest(champion).task, retrainer.settings, export)
    assert collected.fresh is not None
    assert len(collected.fresh.examples) >= 10
    assert retrainer.look().because == (f"{collected.added} new labelled rows, 10 make a run due",)


def test_a_look_at_the_store_for_drift_is_made_and_recorded_once_for_each_window(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{world.folder / 'predictions.db'}"
    midnight = NOW.replace(hour=0)
    with store_in(world.folder) as store:
        for name, begins in (("first", midnight - timedelta(days=1)), ("second", midnight)):
            keep(
                store, [sure("good")] * 30, request=name, model="served", texts=["東京 は 大きい ."] * 30,
                at_ms=ms_of(begins),
            )  # fmt: skip
    drifting = world.with_settings(every=None, drift=url, served_as="served", hold=9).retrainer

    def checks() -> list[tuple[str, int, str, float]]:
        with open_store(url) as store, store.reading() as connection:
            query = sql.select(DRIFT_CHECKS).order_by(DRIFT_CHECKS.c.id)
            return [(one.model, one.texts, one.kind, one.level) for one in connection.execute(query)]

    assert "texts have drifted" in drifting.look().against[0]
    assert checks() == []  # a dry run changes nothing
    compare, compared = drifted.drift_of_store, list[object]()
    monkeypatch.setattr(drifted, "drift_of_store", lambda *given: compared.append(given) or compare(*given))
    for _ in range(3):  # processes of their own, as a timer starts
        assert replace(drifting, findings={}).once().journal is None
    assert checks() == [("served", 30, "texts", 0.05)]
    assert len(compared) == 1
    replace(drifting, now=lambda: NOW + timedelta(days=1)).once()
    assert checks() == [("served", 30, "texts", 0.05)] * 2


def test_each_look_at_the_accuracy_is_recorded_unless_it_is_a_dry_run(world: World) -> None:
    url = f"sqlite:///{world.folder / 'predictions.db'}"
    champion = look_up(Reference("films", alias="champion"), world.registry)
    spec = read_manifest(locate(champion).path).task
    with store_in(world.folder) as store:
        given = {"model": "films", "digest": str(champion.digest), "spec": spec}
        keep(store, [sure("good")] * 200, at_ms=ms_of(NOW - timedelta(hours=1)), **given)
        receive(store, [Feedback(f"r{n}", "bad") for n in range(200)])
        watching = world.with_settings(every=None, accuracy=url, hold=9).retrainer
        assert "accuracy fell: 0.0" in watching.look().against[0]
        assert latest_accuracy_checks(store) == []
        assert watching.once().journal is None
        [found] = latest_accuracy_checks(store, "films")
    assert (found.digest, found.labels, found.accuracy, found.dropped) == (champion.digest, 200, 0.0, True)


def test_a_store_that_can_only_be_read_does_not_stop_retraining(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PredictionStoreError("the store is read only")

    class Heard(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    notes: list[str] = []
    monkeypatch.setattr(drifted, "add_check", refuse)
    with store_in(world.folder) as store:
        keep(store, [sure("good")] * 30, model="films", texts=["a film"] * 30, at_ms=ms_of(NOW - timedelta(days=1)))
    url = f"sqlite:///{world.folder / 'predictions.db'}"
    drifting = replace(world.with_settings(every=None, drift=url, hold=9).retrainer, progress=Heard())
    assert drifting.once().journal is None
    assert notes == ["The check for drift is not recorded: the store is read only"]


def test_watching_goes_on_after_an_error(world: World) -> None:
    heard: list[Result | BertlineError] = []
    world.table.unlink()

    def sleep(seconds: float) -> None:
        assert seconds == 600
        if len(heard) == 1:
            world.table.write_bytes(world.frozen.read_bytes())
            return
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(world.with_settings(every=None, labels=1000).retrainer, heard.append, sleep)
    first, second = heard
    assert isinstance(first, DataError)
    assert isinstance(second, Result)
    assert second.decision is not None
    assert second.decision.against == ("0 new labelled rows, 1,000 make a run due",)  # all of them judge
    assert world.retrainer.home.journals() == []


def test_watching_goes_on_after_a_bug_and_tells_it_once_without_its_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Result | BertlineError] = []
    bugs: list[Exception] = [ValueError("a secret text"), ValueError("another"), KeyError("a secret text")]

    def once(self: Retrainer) -> Result:
        if len(bugs) > len(slept):
            raise bugs[len(slept)]
        return Result(None, None)

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Retrainer, "once", once)
    with pytest.raises(KeyboardInterrupt):
        watch(world.retrainer, heard.append, sleep)
    first, second, third = heard
    assert str(first).startswith("retraining films failed unexpectedly, and is tried again: builtins.ValueError\n  ")
    assert "builtins.KeyError" in str(second)
    assert "secret" not in f"{first}{second}"
    assert third == Result(None, None)
