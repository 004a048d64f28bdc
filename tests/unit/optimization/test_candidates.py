from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from bertline.bundle.engine import FULL, Precision
from bertline.bundle.probes import deviation
from bertline.data.batching import pad
from bertline.export.exporter import export
from bertline.export.network import Network
from bertline.export.quantise import SEVEN_BITS
from bertline.optimization import candidates
from bertline.optimization.candidates import Candidate, EncodedRows, Workshop
from bertline.optimization.measure import Arrays, compute, matrix
from bertline.optimization.vocabulary import prune
from bertline.statistics.figures import percent
from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import logits_of, random_texts, tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation

CLASSIFIER = tiny_classifier(family="bert", labels=3, pooling="cls")
NETWORK = Network.of(CLASSIFIER)
READINGS = Reader(tiny_tokenizer(), Truncation(32)).read(random_texts(24, seed=3))
LOGITS = logits_of(CLASSIFIER, pad([one.piece.ids for one in READINGS], 0))
SPEC = Spec(labels=("a", "b", "c"), temperature=1.5)
TARGETS = [SPEC.labels[i] for i in LOGITS.argmax(axis=1)]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    table = NETWORK.named("encoder.embeddings.token.weight")[1]
    pruned = prune(table, Counter(id_ for one in READINGS for id_ in one.piece.ids), [0], 60)
    return Workshop(tmp_path, EncodedRows(READINGS, TARGETS, 0), pruned, SPEC, lanes=1)


def test_a_network_in_fp32_gives_its_own_logits(workshop: Workshop) -> None:
    found = workshop.float_of(NETWORK, "student")
    assert (found.engine.name, found.engine.network, found.engine.precision) == ("student-fp32", "student", "fp32")
    np.testing.assert_allclose(matrix(workshop.logits(found)), LOGITS, atol=1e-5, rtol=0)


def test_eight_bits_that_change_few_labels_are_tried_alone(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 0.0)
    (plain,) = workshop.int8(NETWORK, FULL)
    assert (plain.engine.name, plain.note) == ("int8", "")
    assert plain.files == (workshop.folder / "engines" / "int8.onnx",)


def test_where_they_change_labels_the_products_that_hurt_most_stay_in_fp32(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 1.01)  # never enough: as many stay as may
    plain, mixed = workshop.int8(NETWORK, FULL)
    assert mixed.engine.name == "int8-mixed"
    named = mixed.note.removeprefix("in fp32: ").split(", ")
    network, recipe = workshop.prepared[FULL]
    moved = workshop.moved[FULL]
    assert named == sorted(moved, key=lambda name: -moved[name])[:4], "each was quantised alone to find out"
    assert recipe.balanced == {name for name, by in moved.items() if by > candidates.BALANCE_ABOVE}
    (file,) = mixed.files
    assert file.read_bytes() == export(network, replace(recipe, float_products=frozenset(named)))
    assert deviation(LOGITS, matrix(workshop.logits(mixed))) < deviation(LOGITS, matrix(workshop.logits(plain)))


# ---------------------------------------------------------------------------------------- how large a weight may be


def test_no_engine_has_a_product_that_a_processor_could_overflow(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M3: two products with the largest activation fit into 16 bits, whichever processor the engine is made on."""
    monkeypatch.setattr(candidates, "MIXED_BELOW", 1.01)
    assert 2 * 255 * SEVEN_BITS < 2**15
    for one in [*workshop.int8(NETWORK, FULL), workshop.small(NETWORK, FULL)]:
        model = onnx.load(one.files[0])
        factors = {node.input[1] for node in model.graph.node if node.op_type == "MatMulIntegerToFloat"}
        weights = [onnx.numpy_helper.to_array(init) for init in model.graph.initializer if init.name in factors]
        assert weights
        assert {int(np.abs(weight).max()) for weight in weights} == {SEVEN_BITS}


# -------------------------------------------------------------------------------------------- what is computed once


def test_fp32_answers_the_tuning_rows_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Precision, int]] = []

    def counted(candidate: Candidate, rows: EncodedRows) -> Arrays:
        asked.append((candidate.engine.precision, len(rows.readings)))
        return compute(candidate.backend, rows.readings, rows.pad_id, candidate.engine.batch_tokens)

    monkeypatch.setattr(candidates, "MIXED_BELOW", 0.0)
    monkeypatch.setattr(candidates, "SENSITIVITY_ROWS", 8)
    monkeypatch.setattr(candidates, "_logits", counted)
    exact = workshop.float_of(NETWORK, "student")
    found = [exact, *workshop.int8(NETWORK, "student")]
    for one in found * 2:
        workshop.logits(one)
    products = len(workshop.moved["student"])
    assert asked.count(("fp32", len(READINGS))) == 1
    assert asked.count(("int8", len(READINGS))) == 1
    assert asked.count(("int8", 8)) == products
    assert len(asked) == products + 2


def test_a_rebuilt_engine_is_measured_again(workshop: Workshop) -> None:
    other = Network.of(tiny_classifier(family="bert", labels=3, pooling="cls", seed=1))
    first = matrix(workshop.logits(workshop.float_of(NETWORK, "student")))
    assert deviation(LOGITS, first) < 1e-3
    assert deviation(first, matrix(workshop.logits(workshop.float_of(other, "student")))) > 0.5


def test_engines_of_a_student_carry_its_name(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MIXED_BELOW", 0.0)
    (found,) = workshop.int8(NETWORK, "student")
    assert (found.engine.name, found.engine.network) == ("student-int8", "student")


def test_the_smallest_engine_reports_how_many_texts_its_tokens_cover(workshop: Workshop) -> None:
    found = workshop.small(NETWORK, FULL)
    covered = np.mean([workshop.pruned.covers(one.piece.ids) for one in READINGS])
    assert 0 < covered < 1
    assert found.note == f"60 token embeddings; {percent(float(covered))} of texts need no other"
    assert found.engine.name == "small"


def test_a_cascade_reports_its_share_passed_on_and_promises_only_what_the_rows_show(workshop: Workshop) -> None:
    fp32 = workshop.float_of(NETWORK, "student")
    wide, chosen = workshop.cascade(fp32, fp32, allowed=0.5, confidence=0.95)
    assert chosen.certified
    assert wide.note.startswith("passes on 0\u202f% of the texts; loses at most 11.")
    assert wide.note.endswith(" points with 95\u202f% confidence")
    narrow, chosen = workshop.cascade(fp32, fp32, allowed=0.001, confidence=0.95)
    assert not chosen.certified
    assert "too few rows to promise a bound (at most 11." in narrow.note
    assert narrow.engine.parts == ("student-fp32", "student-fp32")
    assert narrow.files == fp32.files * 2
