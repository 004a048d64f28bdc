"""The whole verb on a tiny bundle of every task: what its score is called, and that the engines answer as fp32 does."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.bundle import Manifest, load
from bertline.bundle.compose import Parts, compose
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes
from bertline.bundle.reference import ReferenceRows
from bertline.data.targets import Target
from bertline.encoder.heads import Pooling
from bertline.errors import BundleError, UsageError
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.inference import TextClassifier, load_predictor
from bertline.inference.probing import Probing
from bertline.inference.torch_backend import TorchBackend
from bertline.optimization.measure import Arrays, compute, matrix
from bertline.optimization.outcome import Optimized
from bertline.optimization.run import optimize, plan
from bertline.optimization.settings import OptimizeSettings
from bertline.statistics.figures import percent
from bertline.tasks.classify.spec import Spec as Classify
from bertline.tasks.contract import TaskSpec
from bertline.tasks.fill.spec import Spec as Fill
from bertline.tasks.rank.spec import Spec as Rank
from bertline.tasks.tag.answer import answers
from bertline.tasks.tag.spec import Spec as Tag
from bertline.testing.tiny import random_texts, tiny_classifier, tiny_tokenizer, write_tiny_bundle
from bertline.text import Reader, Reading, Truncation
from bertline.text.reading import Input

pytestmark = pytest.mark.usefixtures("no_cold_starts")

MAX_TOKENS = 16  # less than most of the texts have
QUICK: dict[str, Any] = {"repetitions": 1, "speed_rows": 16, "max_accuracy_drop": 100, "goal": "size"}
SPECS: dict[str, TaskSpec] = {
    "several": Classify(problem="several", labels=("a", "b", "c"), thresholds=(0.4, 0.5, 0.6)),
    "number": Classify(problem="number", labels=("stars",)),
    "pair": Classify(labels=("no", "yes"), reads="pair", temperature=1.5),
    "tag": Tag(types=("person", "place")),
    "rank": Rank(),
}
SCORES = {"several": "micro-F1", "number": "R²", "pair": "accuracy", "tag": "F1", "rank": "NDCG@10"}
KEYS = {"several": "micro_f1", "number": "r2", "pair": "accuracy", "tag": "f1", "rank": "ndcg_at_10"}


def inputs(spec: TaskSpec, number: int, seed: int) -> tuple[Input, ...]:
    texts = random_texts(number, seed)
    if not spec.pairs:
        return tuple(texts)
    others = random_texts(number, seed + 10)
    if spec.reads == "query":  # each has five texts
        others = [others[i // 5] for i in range(number)]
    return tuple(zip(others, texts, strict=True))


def targets(spec: TaskSpec, arrays: Arrays, readings: Sequence[Reading]) -> tuple[Target, ...]:
    """The network's own answers, wrong for every fourth text."""
    if isinstance(spec, Tag):
        own = [tuple(one.entity for one in answer.entities) for answer in answers(spec, arrays, readings)]
        return tuple(entities[:1] if i % 4 == 0 else entities for i, entities in enumerate(own))
    logits = np.array([np.mean(pieces, axis=0) for pieces in arrays])
    logits[::4] = logits[::-4][: len(logits[::4])]
    if isinstance(spec, Rank):
        return tuple(map(float, logits[:, 0] > np.median(logits)))
    assert isinstance(spec, Classify)
    if spec.problem == "number":
        return tuple(map(float, logits[:, 0]))
    if spec.problem == "single":
        return tuple(spec.labels[i] for i in logits.argmax(axis=1))
    return tuple(tuple(name for name, logit in zip(spec.labels, row, strict=True) if logit > 0) for row in logits)


def write_bundle(target: Path, spec: TaskSpec, *, seed: int = 0) -> Path:
    """A bundle as training leaves it."""
    pooling: Pooling = "none" if spec.output == "tags" else "cls"
    classifier = tiny_classifier(family="bert", labels=len(spec.labels), pooling=pooling, seed=seed)
    policy = "window" if spec.output == "tags" else "head_tail"
    reader = Reader(tiny_tokenizer(), Truncation(MAX_TOKENS, policy), offsets=spec.offsets)  # type: ignore[arg-type]
    manifest = Manifest(
        name=target.name,
        task=spec,
        max_tokens=MAX_TOKENS,
        truncation=policy,
        pooling=pooling,
        engines=(FP32.model_copy(update={"outputs": (spec.output,)}),),
    )
    network = partial(write_network, network=classifier, spec=spec)
    compose(target, manifest, Parts(network=network, tokenizer=tiny_tokenizer()), overwrite=False)
    backend = TorchBackend(target, device="cpu")
    reference = {}
    for place, split in enumerate(("validation", "test")):
        rows = inputs(spec, 40, place)
        readings = reader.read(rows)
        reference[split] = ReferenceRows(rows, targets(spec, compute(backend, readings, 0, 512), readings))
    short = [one for one in reader.read(inputs(spec, 40, 5)) if len(one.pieces) == 1][:8]
    probes = Probes(tuple(one.input for one in short), {FULL: matrix(compute(backend, short, 0, 512))}, spec.output)
    parts = Parts(network=network, tokenizer=tiny_tokenizer(), probes=probes, reference=reference)  # type: ignore[arg-type]
    compose(target, manifest, parts, overwrite=True)
    return target


@dataclass(frozen=True)
class Done:
    directory: Path
    spec: TaskSpec
    kind: str
    outcome: Optimized


@pytest.fixture(scope="module", params=SPECS)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_cold_starts: None) -> Done:
    spec, folder = SPECS[request.param], tmp_path_factory.mktemp(request.param)
    path = write_bundle(folder / "tiny", spec)
    student = write_bundle(folder / "student", spec, seed=1)
    unlabelled: tuple[str, ...] = ()
    if not spec.pairs:
        (folder / "more.txt").write_text("\n".join(random_texts(12, seed=9)))
        unlabelled = (str(folder / "more.txt"),)
    settings = OptimizeSettings(student=student, unlabelled=unlabelled, **QUICK)
    return Done(path, spec, request.param, optimize(path, settings, lambda _: None))


def test_the_engines_are_loaded_and_answer_nearly_as_fp32(done: Done) -> None:
    engines = load(done.directory).manifest.engines
    assert {"fp32", "int8", "small"} <= {one.name for one in engines}
    assert {"student-fp32", "student-int8"} <= done.outcome.candidates.keys()  # a random one loses too much to ship
    texts = inputs(done.spec, 20, 7)
    exact, eight = (_arrays(load_predictor(done.directory, engine=name), done.spec, texts) for name in ("fp32", "int8"))
    spread = float(matrix(exact).std())
    assert 0 < float(np.sqrt(np.mean((matrix(exact) - matrix(eight)) ** 2))) < 0.2 * spread


def _arrays(predictor: TextClassifier, spec: TaskSpec, texts: Sequence[Input]) -> Arrays:
    policy = "window" if spec.output == "tags" else "head_tail"
    readings = Reader(tiny_tokenizer(), Truncation(MAX_TOKENS, policy), offsets=spec.offsets).read(texts)  # type: ignore[arg-type]
    return compute(predictor.backend, readings, 0, 512)


def test_a_cascade_is_only_for_one_label(done: Done) -> None:
    assert ("cascade" in done.outcome.candidates) == (done.kind == "pair")
    names, _ = plan(done.directory, OptimizeSettings(student=done.directory.parent / "student", **QUICK))
    assert ("cascade" in names) == (done.kind == "pair")


def test_the_score_of_the_task_is_named_wherever_figures_are(done: Done) -> None:
    score, key = SCORES[done.kind], KEYS[done.kind]
    assert {one.score for one in done.outcome.reported.values()} == {score}
    record = json.loads((done.directory / "report" / "engines.json").read_text())["engines"]["int8"]
    assert {key, f"{key}_difference", f"test_{key}"} <= record.keys()
    assert record.get("score", "accuracy") == score
    page = (done.directory / "report" / "engines.html").read_text(encoding="utf-8")
    assert f"Lost: {score} of fp32 less the engine's" in page
    assert ("ccuracy" in page) == (score == "accuracy")
    card = html.unescape((done.directory / "README.md").read_text(encoding="utf-8"))
    assert f"{score} is of the test rows." in card
    fp32 = next(one for one in load(done.directory).manifest.engines if one.name == "fp32").measured
    value = fp32[f"test_{key}"]
    assert isinstance(value, float)
    shown = f"{value:.3f}" if score in ("R²", "NDCG@10") else percent(value)
    assert any(line.startswith("| fp32 |") and line.endswith(f"| {shown} |") for line in card.splitlines())


def test_fp32_loses_nothing_against_itself_and_has_some_texts_wrong(done: Done) -> None:
    exact = done.outcome.measured["fp32"].quality
    assert (exact.drop_points, exact.agreement, exact.only_first, exact.only_second) == (0.0, 1.0, 0, 0)
    assert exact.value < 1
    assert done.outcome.measured["student-fp32"].quality.drop_points > 5


def test_unlabelled_texts_have_the_same_answers_from_fp32(done: Done) -> None:
    if done.spec.pairs:
        assert done.outcome.agreement == {}
        return
    assert done.outcome.agreement["fp32"] == 1.0
    assert done.outcome.agreement["student-fp32"] < done.outcome.agreement["int8"]


def test_single_texts_are_not_read_by_a_model_of_pairs(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "pairs", SPECS["pair"])
    (tmp_path / "more.txt").write_text("a film\n")
    message = r"more\.txt has one text on each line, but the model reads pairs of texts: give tables with two columns"
    settings = OptimizeSettings(unlabelled=(str(tmp_path / "more.txt"),), **QUICK)
    with pytest.raises(UsageError, match=message):
        optimize(path, settings, lambda _: None)
    with pytest.raises(UsageError, match=message):  # a dry run too
        plan(path, settings)


def test_a_student_with_the_same_labels_and_another_task_is_refused(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "several", SPECS["several"])
    other = write_bundle(tmp_path / "single", Classify(labels=("a", "b", "c")))
    with pytest.raises(BundleError, match=r"single has another task than .*several: distill it from this bundle"):
        optimize(path, OptimizeSettings(student=other, **QUICK), lambda _: None)


def test_the_probes_of_pairs_are_read_as_pairs(tmp_path: Path) -> None:
    bundle = load(write_bundle(tmp_path / "pairs", SPECS["pair"]))
    backend = load_predictor(bundle.path).backend
    assert Probing(bundle, tiny_tokenizer()).objection(backend, FULL, "fp32") is None


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A masked language model, which carries no rows."""
    write_tiny_bundle(tmp_path / "words", engine=True, task=Fill(), pooling="none", truncation="window")
    return tmp_path / "words"


def test_a_masked_language_model_is_measured_on_hidden_tokens(words: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join([*random_texts(60, seed=1), "it [MASK] is"]))
    settings = OptimizeSettings(unlabelled=(str(tmp_path / "texts.txt"),), **QUICK)
    outcome = optimize(words, settings, lambda _: None)
    assert {one.name for one in load(words).manifest.engines} >= {"fp32", "int8", "small"}
    exact, eight = outcome.reported["fp32"], outcome.reported["int8"]
    assert (exact.score, exact.agreement, exact.drop_points) == ("masked accuracy", 1.0, 0.0)
    assert eight.agreement < 1
    assert outcome.agreement == {}  # the texts are the rows
    card = html.unescape((words / "README.md").read_text(encoding="utf-8"))
    assert "masked accuracy is of the test rows." in card
    before, after = (load_predictor(words, engine=name).predict(["it [MASK] is"]) for name in ("fp32", "int8"))
    assert before[0].masks[0].candidates[0].probability != after[0].masks[0].candidates[0].probability


def test_a_masked_language_model_needs_texts_without_masks(words: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("it is\nit [MASK] is\n[MASK]\n")
    none = r"words carries no held-out rows to measure on: give texts with --unlabelled FILE, better hundreds, of"
    few = r"words carries no held-out rows to measure on, and --unlabelled gives 1 text\(s\) to make rows of"
    for unlabelled, message in (((), none), ((str(tmp_path / "texts.txt"),), few)):
        with pytest.raises(BundleError, match=message):
            optimize(words, OptimizeSettings(unlabelled=unlabelled, **QUICK), lambda _: None)
