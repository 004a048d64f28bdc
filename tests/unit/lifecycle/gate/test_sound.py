"""Parity and leaks with real tiny bundles: some engines do not load, some bundles do not say what trained them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertline.errors import BundleError
from bertline.inference import load_predictor
from bertline.lifecycle.gate import sound
from bertline.lifecycle.gate.rows import Contestant, Judged, judge
from bertline.lifecycle.gate.settings import GateSettings
from bertline.testing.tiny import random_texts, write_tiny_bundle


@pytest.fixture(scope="module")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> Contestant:
    target = tmp_path_factory.mktemp("bundles") / "challenger"
    write_tiny_bundle(target, engine=True)
    return Contestant.of(target)


@pytest.fixture(scope="module")
def judged(challenger: Contestant, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *((one, "neutral") for one in random_texts(30, seed=5))])
    return judge(str(path), GateSettings(), challenger, None)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of engines that cannot be loaded; each test fills it."""
    names: set[str] = set()

    def load(path: Path, *, engine: str) -> Any:
        if engine in names:
            raise BundleError(f"{engine} is not installed")
        return load_predictor(path, engine=engine)

    monkeypatch.setattr(sound, "load_predictor", load)
    return names


def test_an_engine_agrees_with_pytorch(judged: Judged, challenger: Contestant) -> None:
    found = sound.same_on_its_engine(judged, challenger, GateSettings())
    assert (found.decision, found.figures) == ("yes", {"agreement": 1.0, "rows": 30})


def test_what_could_not_be_compared_is_undecided(judged: Judged, challenger: Contestant, refused: set[str]) -> None:
    refused |= {"torch"}
    found = sound.same_on_its_engine(judged, challenger, GateSettings())
    assert (found.decision, found.sentence) == (
        "undecided",
        "fp32 is compared with nothing (torch is not installed): judge it where the full network can be loaded, or set "
        "min_agreement to 0",
    )


def test_who_asks_for_no_agreement_needs_no_full_network(
    judged: Judged, challenger: Contestant, refused: set[str]
) -> None:
    refused |= {"torch"}
    found = sound.same_on_its_engine(judged, challenger, GateSettings(min_agreement=0))
    assert (found.decision, found.sentence) == ("yes", "not checked, because min_agreement is 0")


def answered_by_a_student(challenger: Contestant) -> Contestant:
    """The same, but its engine is said to be of another network than the full one."""
    (engine,) = challenger.manifest.engines
    student = engine.model_copy(update={"network": "small"})
    manifest = challenger.manifest.model_copy(update={"engines": (student,)})
    return Contestant(path=challenger.path, manifest=manifest, predictor=challenger.predictor)


def test_a_student_may_differ_from_the_full_network(judged: Judged, challenger: Contestant, refused: set[str]) -> None:
    refused |= {"fp32", "torch"}
    found = sound.same_on_its_engine(judged, answered_by_a_student(challenger), GateSettings())
    assert (found.decision, found.sentence) == (
        "yes",
        "fp32 answers with a student, which may differ: the other checks judge its own answers",
    )


def test_a_student_has_to_agree_as_far_as_somebody_asks_for_it(judged: Judged, challenger: Contestant) -> None:
    found = sound.same_on_its_engine(judged, answered_by_a_student(challenger), GateSettings(min_agreement=1.0))
    assert found.decision == "yes"
    assert found.sentence.startswith("fp32 agrees with torch on 100")
    turned = [[-piece for piece in pieces] for pieces in judged.arrays]
    differs = replace(judged, challenger=replace(judged.challenger, arrays=turned))
    assert sound.same_on_its_engine(differs, challenger, GateSettings()).decision == "no"
    assert sound.same_on_its_engine(differs, answered_by_a_student(challenger), GateSettings()).decision == "yes"
    asked = GateSettings(min_agreement=0.5)
    assert sound.same_on_its_engine(differs, answered_by_a_student(challenger), asked).decision == "no"


def test_a_broken_fp32_engine_leaves_pytorch(judged: Judged, challenger: Contestant, refused: set[str]) -> None:
    refused |= {"fp32"}
    int8: Any = SimpleNamespace(
        path=challenger.path, manifest=challenger.manifest, predictor=SimpleNamespace(engine="int8")
    )
    found = sound.same_on_its_engine(judged, int8, GateSettings())
    assert (found.decision, found.sentence) == (
        "yes",
        "int8 agrees with torch on 100.0\N{NARROW NO-BREAK SPACE}% of 30 rows",
    )


def test_an_engine_that_this_machine_cannot_load_is_undecided(
    judged: Judged, challenger: Contestant, refused: set[str]
) -> None:
    """PyTorch answers in its place here; elsewhere the engine would."""
    refused |= {"fp32"}
    torch: Any = SimpleNamespace(
        path=challenger.path, manifest=challenger.manifest, predictor=SimpleNamespace(engine="torch")
    )
    assert sound.same_on_its_engine(judged, torch, GateSettings()).decision == "undecided"


def test_a_bundle_without_engines_has_nothing_to_compare(judged: Judged, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "plain", engine=False)
    found = sound.same_on_its_engine(judged, Contestant.of(tmp_path / "plain"), GateSettings())
    assert (found.decision, found.sentence) == (
        "yes",
        "the bundle has no engine: PyTorch answers from the full network itself",
    )


def test_leaks_that_cannot_be_found_are_undecided(judged: Judged, challenger: Contestant) -> None:
    found = sound.unseen(judged, challenger, GateSettings())
    assert (found.decision, found.sentence) == (
        "undecided",
        "the bundle does not say which texts it was trained on, so leaks cannot be found: train it again with this "
        "version, or set max_leaked to 1 if these texts are surely new to it",
    )
    found = sound.unseen(judged, challenger, GateSettings(max_leaked=1))
    assert (found.decision, found.sentence) == ("yes", "not checked, because max_leaked is 1")


@pytest.mark.parametrize(("leaked", "decision"), [(0, "yes"), (1, "no"), (30, "no")])
def test_texts_that_trained_the_challenger_are_found(
    judged: Judged, tmp_path: Path, leaked: int, decision: str
) -> None:
    write_tiny_bundle(tmp_path / "told", seen=["another", *random_texts(30, seed=5)[:leaked]])
    found = sound.unseen(judged, Contestant.of(tmp_path / "told"), GateSettings())
    assert (found.decision, found.figures) == (decision, {"share": leaked / 30})
    assert found.sentence == f"{leaked} of 30 texts are among those that the challenger was trained on"


def test_a_share_of_leaks_may_be_tolerated(judged: Judged, tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "told", seen=random_texts(30, seed=5)[:1])
    assert sound.unseen(judged, Contestant.of(tmp_path / "told"), GateSettings(max_leaked=0.05)).decision == "yes"
