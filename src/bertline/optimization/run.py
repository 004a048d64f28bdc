"""``bertline optimize``: add measured engines to a bundle."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertline.bundle import Bundle, check_target, load
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes
from bertline.bundle.reference import read_token_counts
from bertline.bundle.tree import entries
from bertline.data.target_kinds import OneLabel
from bertline.destination import check_room, claim
from bertline.encoder.network import load_network
from bertline.errors import BundleError
from bertline.evaluation.report import import_jinja
from bertline.export.exporter import FP32
from bertline.export.network import Network
from bertline.inference.probing import Probing
from bertline.machine.cores import usable_cores
from bertline.machine.instructions import processor
from bertline.machine.timing import DurationRange, until_stable
from bertline.optimization.candidates import STUDENT, Candidate, EncodedRows, Workshop
from bertline.optimization.cold_start import measure_cold_start
from bertline.optimization.estimate import Extent, measure_pieces
from bertline.optimization.held_out import held_out_rows
from bertline.optimization.measure import Arrays, EngineFigures, agreement, compute, megabytes, speeds
from bertline.optimization.outcome import Optimized
from bertline.optimization.pick import caveat, frontier, pick, visible_drop
from bertline.optimization.publish import publish
from bertline.optimization.settings import OptimizeSettings
from bertline.optimization.vocabulary import PrunedVocabulary, prune
from bertline.tasks import task
from bertline.tasks.contract import Comparison, TaskSpec
from bertline.text import Input, Reader, Tokenizer, Truncation
from bertline.training.distillation.transfer import check_heads, read_transfer

Notify = Callable[[str], None]


def optimize(directory: Path, settings: OptimizeSettings, notify: Notify) -> Optimized:
    """Build and measure engines for the bundle at ``directory``, and write the usable ones into it.

    Raises:
        BundleError: the bundle or the student cannot be used, carries no held-out rows, cannot be replaced, or
            was replaced meanwhile.
        DestinationError: there is no room, or another process writes the bundle.
        DataError: a table of unlabelled text cannot be read.
    """
    bundle = load(directory)
    check_target(bundle.path, overwrite=True)  # before long work, not after it
    _check_start(bundle, settings)
    with claim(bundle.path, "the bundle"), tempfile.TemporaryDirectory(prefix="bertline-optimize-") as work:
        bench = Bench(bundle, settings, Path(work), notify)
        optimized = bench.run()
        if not bundle.is_current():
            raise BundleError(f"{directory} was replaced while its engines were measured: run optimize again")
        publish(bundle, optimized, settings)
    return optimized


def _check_start(bundle: Bundle, settings: OptimizeSettings) -> None:
    """Check the student, the unlabelled texts and the disk space before long work.

    Raises:
        BundleError, DataError, UsageError: something is missing, such as Jinja.
        DestinationError: there is no room.
    """
    import_jinja()
    if settings.unlabelled:
        check_heads(None, settings, reads=bundle.manifest.task.reads)
    if settings.student is not None:
        load(settings.student, verify=False)
    folders = [bundle.path, *([] if settings.student is None else [settings.student])]
    held_bytes = sum(status.st_size for folder in folders for status in entries(folder).values())
    check_room(Path(tempfile.gettempdir()) / "engines", "the files of the engines", held_bytes)
    check_room(bundle.path, "the bundle with its engines", 2 * held_bytes)


def plan(directory: Path, settings: OptimizeSettings) -> tuple[list[str], DurationRange]:
    """Names of the engines that ``optimize`` would try, and the estimated seconds here.

    Raises:
        BundleError, DataError: as ``optimize``.
    """
    began = time.perf_counter()
    bundle = load(directory)
    _check_start(bundle, settings)
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(bundle, settings, Path(work), lambda _: None)
        opened = time.perf_counter() - began
        names, seconds = bench.plan()
    return names, DurationRange(opened + seconds.low, opened + seconds.high)


def fp32_file(bundle: Bundle) -> Path:
    """The fp32 graph, the reference for every engine.

    Raises:
        BundleError: the bundle is of a version that wrote none.
    """
    file = bundle.path / str(FP32.file)
    if not file.is_file():
        raise BundleError(f"{bundle.path} has no {FP32.file}: train it again with this version of bertline")
    return file


class Bench:
    """One run: the rows, networks and engines, and the order of the work.

    Args:
        bundle: the one to optimize.
        settings: of the run.
        work: where engines are built.
        notify: called with each progress message.
    """

    def __init__(self, bundle: Bundle, settings: OptimizeSettings, work: Path, notify: Notify) -> None:
        self.bundle, self.settings, self.notify = bundle, settings, notify
        self.tokenizer = Tokenizer.from_bundle(bundle.path)
        self.spec = bundle.manifest.task.with_tokenizer(self.tokenizer)
        truncation = Truncation(bundle.manifest.max_tokens, bundle.manifest.truncation)
        self.reader = Reader(self.tokenizer, truncation, offsets=self.spec.offsets, apart=self.spec.apart)
        self.probing = Probing(bundle, self.tokenizer)
        self.tuning, self.test, others = held_out_rows(bundle, self.spec, self.reader, self._texts)
        self.unlabelled = self.reader.read(others)
        self.networks = {FULL: Network.of(load_network(bundle.path))}
        if settings.student is not None:
            self.networks[STUDENT] = self._student(settings.student)
        self.workshop = Workshop(work, self.tuning, self._pruned(), self.spec)

    def _texts(self) -> tuple[Input, ...]:
        """The unlabelled texts. Reading them may take long, so the graph is looked for first."""
        fp32_file(self.bundle)
        if not self.settings.unlabelled:
            return ()
        return read_transfer(None, self.settings, (), reads=self.spec.reads).inputs

    @property
    def cascades(self) -> bool:
        """Whether a cascade is tried: it needs a student, and one label per text for its confidence."""
        return STUDENT in self.networks and bool(self.spec.labels) and isinstance(self.spec.kind, OneLabel)

    def run(self) -> Optimized:
        """Build and measure the engines, and pick one."""
        candidates = {candidate.engine.name: candidate for candidate in self._candidates()}
        probes, refused = self._probe(candidates)
        for name, why in refused.items():
            candidates[name] = candidates[name].but(f"cannot be used: {why}")
        self.notify(f"Measuring {len(candidates)} engines side by side, {self.settings.repetitions} repetitions")
        logits = {name: self.workshop.logits(candidate) for name, candidate in candidates.items()}
        measured = self._measure(candidates, logits)
        usable = {name: figures for name, figures in measured.items() if name not in refused}
        picked = pick(usable, self.settings.goal, self.settings.max_accuracy_drop)
        tested = {name: self._logits(candidate, self.test) for name, candidate in candidates.items()}
        reported = {name: self._quality(outputs, tested[FP32.name], self.test) for name, outputs in tested.items()}
        rows = len(self.tuning.targets)
        visible = visible_drop(rows, measured[picked].quality)
        sentence = caveat(rows, self.settings.max_accuracy_drop, visible)
        return Optimized(
            picked,
            candidates,
            measured,
            reported,
            self._agreement(candidates),
            frontier(usable, self.settings.goal),
            (sentence,) if sentence else (),
            frozenset(refused),
            probes,
            f"{processor()}, {usable_cores()} cores",
        )

    def plan(self) -> tuple[list[str], DurationRange]:
        """Names of the engines to try, and the estimated seconds here."""
        names = ["fp32", "int8", "int8-mixed (only if int8 changes labels)", "small"]
        if STUDENT in self.networks:
            names = [*names, *(f"{STUDENT}-{name}" for name in names), *(["cascade"] if self.cascades else [])]
        fp32_file(self.bundle)
        tuning, settings = len(self.tuning.readings), self.settings
        extent = Extent(
            tuning=tuning,
            read=tuning + len(self.test.readings) + len(self.unlabelled),
            timed=min(settings.speed_rows, tuning),
            repetitions=settings.repetitions,
        )

        def seconds() -> float:
            shop = self.workshop
            pieces = [
                measure_pieces(network, self.tuning, self.bundle.path, shop.folder, shop.lanes)
                for network in self.networks.values()
            ]
            cascade = pieces[0].engine("int8", extent) if self.cascades else 0.0
            return sum(piece.network(extent) for piece in pieces) + cascade

        return names, until_stable(seconds, rounds=2)

    def _probe(self, candidates: Mapping[str, Candidate]) -> tuple[Probes, dict[str, str]]:
        """The probes with a student's answers, and the engines that a loader would refuse by them: why, by name."""
        probing, student = self.probing, candidates.get(f"{STUDENT}-fp32")
        if student is not None and probing.probes.texts:
            logits = {**probing.probes.logits, STUDENT: probing.answers(student.backend)}
            probing = Probing(self.bundle, self.tokenizer, replace(probing.probes, logits=logits))
        refused: dict[str, str] = {}
        for name, candidate in candidates.items():  # a cascade comes after its parts
            why = probing.objection(candidate.backend, candidate.engine.network, candidate.engine.precision)
            part = next((part for part in candidate.engine.parts if part in refused), None)
            if why or part:
                refused[name] = why or f"its part {part} cannot"
        return probing.probes, refused

    def _exact(self) -> Candidate:
        """The bundle's own fp32 engine, the reference for all others."""
        candidate = self.workshop.fp32(fp32_file(self.bundle))
        why = self.probing.objection(candidate.backend, FULL, "fp32")
        if why is not None:
            raise BundleError(f"the engine {FP32.name} of {self.bundle.path} cannot be used: {why}: train it again")
        return candidate

    def _candidates(self) -> list[Candidate]:
        shop, full = self.workshop, self.networks[FULL]
        self.notify("Building engines: fp32, int8")
        candidates = [self._exact(), *shop.int8(full, FULL), shop.small(full, FULL)]
        best_int8 = candidates[-2]
        student = self.networks.get(STUDENT)
        if student is not None:
            self.notify(f"Building engines of the student{', and the cascade' * self.cascades}")
            exact = shop.float_of(student, STUDENT)
            small = list(shop.int8(student, STUDENT))
            candidates += [exact, *small, shop.small(student, STUDENT)]
            if self.cascades:
                allowed = self.settings.max_accuracy_drop / 100
                cascade, _ = shop.cascade(small[-1], best_int8, allowed=allowed, confidence=self.settings.confidence)
                candidates.append(cascade)
        return candidates

    def _measure(self, candidates: Mapping[str, Candidate], logits: Mapping[str, Arrays]) -> dict[str, EngineFigures]:
        backends = {name: (candidate.backend, candidate.engine.batch_tokens) for name, candidate in candidates.items()}
        sample = [one for reading in self.tuning.spread(self.settings.speed_rows).readings for one in reading.alone()]
        timed = speeds(backends, sample, self.tuning.pad_id, self.settings.repetitions)
        measured = {}
        for name, candidate in candidates.items():
            own = self._quality(logits[name], logits[FP32.name], self.tuning)
            onnx = [file for file in candidate.files if file.suffix == ".onnx"]
            cold = measure_cold_start(self.bundle.path, onnx)
            measured[name] = EngineFigures(own, timed[name], megabytes(candidate.files), cold)
        return measured

    def _agreement(self, candidates: Mapping[str, Candidate]) -> dict[str, float]:
        if not self.unlabelled:
            return {}
        rows = EncodedRows(self.unlabelled, (), self.tokenizer.pad_id)
        arrays = {name: self._logits(candidate, rows) for name, candidate in candidates.items()}
        return {name: agreement(self.spec, outputs, arrays[FP32.name]) for name, outputs in arrays.items()}

    def _quality(self, arrays: Arrays, exact: Arrays, rows: EncodedRows) -> Comparison:
        """An engine's answers compared with those of fp32."""
        measure = task(self.spec.task).measure
        compared: Comparison = measure.compare(self.spec, rows.targets, arrays, exact, rows.readings)
        return compared

    def _logits(self, candidate: Candidate, rows: EncodedRows) -> Arrays:
        return compute(candidate.backend, rows.readings, rows.pad_id, candidate.engine.batch_tokens)

    def _pruned(self) -> PrunedVocabulary:
        table = self.networks[FULL].named("encoder.embeddings.token.weight")[1]
        always = [getattr(self.tokenizer, f"{token}_id") for token in ("pad", "unknown", "cls", "sep", "mask")]
        counts = read_token_counts(self.bundle.path)
        for reading in self.unlabelled:  # not of the rows that choose: they would miss what other texts miss
            counts.update(id_ for piece in reading.pieces for id_ in piece.ids)
        return prune(table, counts, always, min(self.settings.kept_tokens, len(table)))

    def _student(self, directory: Path) -> Network:
        student = load(directory)
        manifest, own = student.manifest, self.bundle.manifest
        for name in ("labels", "max_tokens", "truncation"):
            if getattr(manifest, name) != getattr(own, name):
                raise BundleError(f"{directory} has other {name} than {self.bundle.path}: distill it from this bundle")
        if _without_scale(manifest.task) != _without_scale(own.task):
            raise BundleError(f"{directory} has another task than {self.bundle.path}: distill it from this bundle")
        if manifest.files.get("vocab.txt") != own.files.get("vocab.txt"):
            raise BundleError(
                f"{directory} has another vocabulary than {self.bundle.path}: distill it from this bundle"
            )
        return Network.of(load_network(directory)).scaled(own.temperature / manifest.temperature)


def _without_scale(spec: TaskSpec) -> dict[str, Any]:
    """The spec without the parts fitted to one network."""
    return spec.model_dump(exclude={"temperature", "thresholds"})
