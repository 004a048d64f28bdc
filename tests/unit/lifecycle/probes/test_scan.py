"""Models probed: what breaks, how often, and the same cases in the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertline.errors import UsageError
from bertline.inference import load_predictor
from bertline.lifecycle.gate.behaviour import passes, read_cases
from bertline.lifecycle.probes import scan as module
from bertline.lifecycle.probes.change import Probe
from bertline.lifecycle.probes.found import Scan
from bertline.lifecycle.probes.scan import scan
from bertline.lifecycle.probes.settings import ProbeSettings
from bertline.statistics.intervals import wilson
from bertline.testing.tiny import random_texts, write_tiny_bundle
from bertline.testing.words import WordCounter

SENTENCES = [
    "The colour of the film is wonderful, and I don't know anything like it.",
    "Amanda moved from Boston to Kenya with 12 friends.",
    "It isn't far from London, and they want more!",
    *random_texts(20, seed=3),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


@pytest.fixture(scope="module")
def found(bundle: Path) -> Scan:
    return scan(load_predictor(bundle), SENTENCES, ProbeSettings())


def test_answers_are_those_of_the_model(bundle: Path, found: Scan) -> None:
    model = load_predictor(bundle)
    tried = [one for outcome in found.outcomes for one in outcome.tried]
    assert len(tried) > 100
    assert found.answers == len(SENTENCES) + len({one.after for one in tried})
    for one in tried[::7]:
        before, after = model.predict([one.before[0], one.after[0]])
        assert SENTENCES[one.place] == one.before[0]
        if one.label is None:
            assert [said[0] for said in one.said] == [before.label, after.label]
            assert one.broke == (before.label != after.label)
        else:
            fell = before.probabilities[one.label] - after.probabilities[one.label]
            assert one.said[1] == (one.label, pytest.approx(after.probabilities[one.label], abs=1e-6))
            assert one.broke == ((fell if one.moves == "up" else -fell) > 0.05)


def test_a_budget_is_kept_or_refused_before_the_first_answer(bundle: Path, found: Scan) -> None:
    model = load_predictor(bundle)
    assert scan(model, SENTENCES, ProbeSettings(budget=found.answers)).to_json() == found.to_json()
    with pytest.raises(
        UsageError, match=f"this scan needs more than {found.answers - 1} answers, its budget: give few"
    ):
        scan(model, SENTENCES, ProbeSettings(budget=found.answers - 1))


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the probes that were let change a text, in order."""
    names: list[str] = []
    change = module._change

    def counted(model: Any, probe: Probe, *rest: Any) -> Any:
        names.append(probe.name)
        return change(model, probe, *rest)

    monkeypatch.setattr(module, "_change", counted)
    return names


@pytest.mark.parametrize(("more", "most"), [(-1, 0), (3, 4)], ids=["texts alone", "texts and changes"])
def test_no_text_is_changed_once_the_budget_is_spent(bundle: Path, changes: list[str], more: int, most: int) -> None:
    probes = ("additions",)  # which change every text
    with pytest.raises(UsageError, match=f"needs more than {len(SENTENCES) + more} answers"):
        scan(load_predictor(bundle), SENTENCES, ProbeSettings(budget=len(SENTENCES) + more, probes=probes))
    assert len(changes) == most


def test_the_time_is_looked_at_before_each_change(bundle: Path, changes: list[str]) -> None:
    def late() -> None:
        if len(changes) == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        scan(load_predictor(bundle), SENTENCES, ProbeSettings(), late)
    assert len(changes) == 2


def test_rates_have_wilsons_interval_and_what_moved_furthest_comes_first(found: Scan) -> None:
    assert sum(len(outcome.broken) for outcome in found.outcomes) > 5
    for outcome in found.outcomes:
        broken = outcome.broken
        if not outcome.tried:
            assert outcome.rate is None
            continue
        assert outcome.rate == wilson(len(broken), len(outcome.tried))
        assert [one.moved for one in broken] == sorted((one.moved for one in broken), reverse=True)
        assert len({one.place for one in outcome.tried}) == len(outcome.tried)


def test_an_uncased_model_reads_other_cases_alike(found: Scan) -> None:
    by_name = {outcome.probe.name: outcome for outcome in found.outcomes}
    assert all(one.alike and not one.broke for one in by_name["upper case"].tried)
    assert not all(one.alike for one in by_name["typo: missing letter"].tried)


def test_the_gate_reads_what_broke_and_judges_alike(bundle: Path, found: Scan, tmp_path: Path) -> None:
    model = load_predictor(bundle)
    (tmp_path / "broken.jsonl").write_text(found.cases_file(), encoding="utf-8")
    (tmp_path / "all.jsonl").write_text(found.cases_file(passed=True), encoding="utf-8")
    broken, every = (read_cases(str(tmp_path / name), model.spec) for name in ("broken.jsonl", "all.jsonl"))
    assert passes(broken, model) == [False] * len(found.cases())
    assert passes(every, model) == [False] * len(found.cases()) + [True] * len(found.cases(broke=False))
    assert {one.kind for one in every.cases} == {"invariance", "direction"}


def test_the_same_seed_finds_the_same_whatever_is_beside_a_text(bundle: Path, found: Scan) -> None:
    model = load_predictor(bundle)
    assert scan(model, SENTENCES, ProbeSettings()).to_json() == found.to_json()
    alone = scan(model, SENTENCES[:1], ProbeSettings())
    both = [{outcome.probe.name: outcome.tried[:1] for outcome in one.outcomes} for one in (alone, found)]
    for name, tried in both[0].items():
        if tried:
            assert tried[0].after == both[1][name][0].after
    other = scan(model, SENTENCES, ProbeSettings(seed=1))
    assert other.outcomes[0].tried[0].after != found.outcomes[0].tried[0].after


def test_too_many_and_unreadable_texts_are_left_out(bundle: Path) -> None:
    model = load_predictor(bundle)
    few = scan(model, [*SENTENCES, " ", "\u200b"], ProbeSettings(rows=5, probes=("typos",)))
    assert (few.texts, few.left_out) == (5, len(SENTENCES) - 3)
    assert len({one.place for outcome in few.outcomes for one in outcome.tried}) <= 5
    with pytest.raises(UsageError, match="there is no text that the model reads: give at least one with letters"):
        scan(model, [" "], ProbeSettings())


def test_plain_values(found: Scan) -> None:
    content = json.loads(json.dumps(found.to_json(passed=True)))
    assert (content["texts"], content["left_out"], content["seed"]) == (len(SENTENCES), 0, 0)
    assert len(content["cases"]) == sum(one["failed"] for one in content["probes"])
    broken = [one for probe in content["probes"] for one in probe["broken"]]
    for one in broken:
        (text,), (marks,) = one["after"]["texts"], one["after"]["marks"]
        assert all(text[start:end].strip() for start, end in marks)
        assert one["before"]["marks"] != [[]] or marks
    assert content["passed"]
    assert found.to_json()["passed"] == []


@pytest.mark.parametrize(
    ("spec", "inputs"),
    [
        ({"task": "tag", "types": ["person", "place"]}, SENTENCES),
        ({"task": "rank"}, [("who is amanda", one) for one in SENTENCES]),
        ({"task": "classify", "problem": "several", "labels": ["a", "b"], "thresholds": [0.5, 0.5]}, SENTENCES),
        ({"task": "classify", "problem": "number", "labels": ["stars"]}, SENTENCES),
        ({"task": "classify", "labels": ["no", "yes"], "reads": "pair"}, [("a film", one) for one in SENTENCES]),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_every_task_that_has_such_answers(tmp_path: Path, spec: dict[str, Any], inputs: list[Any]) -> None:
    more = {"truncation": "window", "pooling": "none"} if spec["task"] == "tag" else {}
    write_tiny_bundle(tmp_path / "b", engine=True, task=spec, **more)
    model = load_predictor(tmp_path / "b")
    found = scan(model, inputs, ProbeSettings(rows=12))
    assert sum(len(outcome.tried) for outcome in found.outcomes) > 25
    (tmp_path / "all.jsonl").write_text(found.cases_file(passed=True), encoding="utf-8")
    cases = read_cases(str(tmp_path / "all.jsonl"), model.spec)
    assert passes(cases, model) == [False] * len(found.cases()) + [True] * len(found.cases(broke=False))
    assert all(said[0] for outcome in found.outcomes for one in outcome.tried for said in one.said)


def test_a_library_model_scans() -> None:
    model = WordCounter().model()
    found = model.scan(["a good film"], probes=["additions"])
    assert [outcome.probe.group for outcome in found.outcomes] == ["additions"] * 3
