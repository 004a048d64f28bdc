from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bertline.bundle.engine import FULL, Precision
from bertline.bundle.exporter import Recipe, export
from bertline.bundle.network import Network
from bertline.bundle.probes import deviation
from bertline.data.batching import pad
from bertline.optimisation import candidates
from bertline.optimisation.candidates import Candidate, Rows, Workshop, largest_weight
from bertline.optimisation.measure import Logits, compute
from bertline.optimisation.vocabulary import prune
from bertline.text import Truncation
from tests.unit.inference.tiny import logits_of, random_texts, tiny_classifier, tiny_tokenizer

CLASSIFIER = tiny_classifier(family="bert", labels=3, pooling="cls")
NETWORK = Network.of(CLASSIFIER)
TOKENS = tiny_tokenizer().encode(random_texts(24, seed=3), Truncation(32))
LOGITS = logits_of(CLASSIFIER, pad([one.ids for one in TOKENS], 0))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    table = NETWORK.named("encoder.embeddings.token.weight")[1]
    pruned = prune(table, Counter(id_ for one in TOKENS for id_ in one.ids), [0], 60)
    return Workshop(tmp_path, Rows(TOKENS, LOGITS.argmax(axis=1), 0), pruned, temperature=1.5, lanes=1)


def test_a_network_in_fp32_gives_its_own_logits(workshop: Workshop) -> None:
    found = workshop.float_of(NETWORK, "student")
    assert (found.engine.name, found.engine.network, found.engine.precision) == ("student-fp32", "student", "fp32")
    np.testing.assert_allclose(workshop.logits(found), LOGITS, atol=1e-5, rtol=0)


def test_eight_bits_that_change_few_labels_are_tried_alone(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 0.0)
    (plain,) = workshop.int8(NETWORK, FULL)
    assert (plain.engine.name, plain.note) == ("int8", "weights in 8 bits")
    assert plain.files == (workshop.folder / "engines" / "int8.onnx",)


def test_where_they_change_labels_the_products_that_hurt_most_stay_in_fp32(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 1.01)  # never enough: as many stay as may
    plain, mixed = workshop.int8(NETWORK, FULL)
    assert mixed.engine.name == "int8-mixed"
    named = mixed.note.removeprefix("weights in 8 bits; in fp32: ").split(", ")
    network, recipe = workshop.prepared[FULL]
    moved = workshop.moved[FULL]
    assert named == sorted(moved, key=lambda name: -moved[name])[:4], "each was quantised alone to find out"
    assert recipe.balanced == {name for name, by in moved.items() if by > candidates.BALANCE_ABOVE}
    (file,) = mixed.files
    assert file.read_bytes() == export(network, replace(recipe, float_products=frozenset(named)))
    assert deviation(LOGITS, workshop.logits(mixed)) < deviation(LOGITS, workshop.logits(plain))


# ---------------------------------------------------------------------------------------- how large a weight may be


def test_a_cpu_that_adds_in_16_bits_gets_weights_of_7() -> None:
    assert [largest_weight(adds) for adds in (True, False, None)] == [63, 127, None]
    assert 2 * 255 * 63 < 2**15 < 2 * 255 * 127


def test_engines_are_built_with_the_weights_that_the_cpu_can_add_and_say_so(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 1.01)
    workshop.largest = 63
    plain, mixed = workshop.int8(NETWORK, FULL)
    small = workshop.small(NETWORK, FULL)
    network, recipe = workshop.prepared[FULL]
    assert recipe.largest == 63
    assert plain.files[0].read_bytes() == export(network, recipe)
    for one, more in ((plain, ""), (mixed, "; in fp32: "), (small, "; 60 token embeddings; ")):
        assert one.note.startswith(f"weights in 7 bits, as 8 overflow on this CPU{more}")


@pytest.mark.parametrize("better", [63, 127])
def test_where_the_cpu_does_not_tell_both_are_measured_and_the_closer_one_to_fp32_stays(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, better: int
) -> None:
    workshop.largest, tried = None, []

    def off(network: Network, name: str, recipe: Recipe, reference: Logits) -> float:
        if len(recipe.observed) > 1:  # else it is of the sensitivity
            tried.append(recipe.largest)
        return 0.1 if recipe.largest == better else 0.2

    monkeypatch.setattr(workshop, "_off", off)
    workshop.small(NETWORK, FULL)
    assert sorted(tried) == [63, 127]
    assert workshop.prepared[FULL][1].largest == better


# -------------------------------------------------------------------------------------------- what is computed once


def test_fp32_answers_the_tuning_rows_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Precision, int]] = []

    def counted(candidate: Candidate, rows: Rows) -> Logits:
        asked.append((candidate.engine.precision, len(rows.tokens)))
        return compute(candidate.backend, rows.tokens, rows.pad_id, candidate.engine.batch_tokens)

    monkeypatch.setattr(candidates, "MIXED_BELOW", 0.0)
    monkeypatch.setattr(candidates, "SENSITIVITY_ROWS", 8)
    monkeypatch.setattr(candidates, "_logits", counted)
    exact = workshop.float_of(NETWORK, "student")
    found = [exact, *workshop.int8(NETWORK, "student")]
    for one in found * 2:
        workshop.logits(one)
    products = len(workshop.moved["student"])
    assert asked.count(("fp32", len(TOKENS))) == 1
    assert asked.count(("int8", len(TOKENS))) == 1
    assert asked.count(("int8", 8)) == products
    assert len(asked) == products + 2


def test_an_engine_that_is_built_anew_is_asked_anew(workshop: Workshop) -> None:
    other = Network.of(tiny_classifier(family="bert", labels=3, pooling="cls", seed=1))
    first = workshop.logits(workshop.float_of(NETWORK, "student"))
    assert deviation(LOGITS, first) < 1e-3
    assert deviation(first, workshop.logits(workshop.float_of(other, "student"))) > 0.5


def test_engines_of_a_student_carry_its_name(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 0.0)
    (found,) = workshop.int8(NETWORK, "student")
    assert (found.engine.name, found.engine.network) == ("student-int8", "student")


def test_the_smallest_engine_says_how_many_texts_need_no_other_token(workshop: Workshop) -> None:
    found = workshop.small(NETWORK, FULL)
    covered = np.mean([workshop.pruned.covers(one.ids) for one in TOKENS])
    assert 0 < covered < 1
    assert found.note == f"weights in 8 bits; 60 token embeddings; {covered:.1%} of texts need no other"
    assert found.engine.name == "small"


def test_a_cascade_says_what_it_passes_on_and_promises_only_what_the_rows_show(workshop: Workshop) -> None:
    fp32 = workshop.float_of(NETWORK, "student")
    wide, chosen = workshop.cascade(fp32, fp32, allowed=0.5, confidence=0.95)
    assert chosen.certified
    assert wide.note.startswith("passes on 0% of the texts; loses at most 11.")
    assert wide.note.endswith(" points with 95% confidence")
    narrow, chosen = workshop.cascade(fp32, fp32, allowed=0.001, confidence=0.95)
    assert not chosen.certified
    assert "too few rows to promise a bound (at most 11." in narrow.note
    assert narrow.engine.parts == ("student-fp32", "student-fp32")
    assert narrow.files == fp32.files * 2
