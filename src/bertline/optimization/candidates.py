"""The engines that are tried, and how each is built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bertline.bundle.engine import FOLDER, FULL, Engine, Precision
from bertline.bundle.probes import Logits, deviation
from bertline.data.batching import Batch, lay_out, plan
from bertline.export.exporter import FP32, Recipe, export
from bertline.export.network import Network
from bertline.inference.backend import Backend, head_output
from bertline.inference.cascade import Cascade
from bertline.inference.onnx_backend import OnnxBackend
from bertline.optimization.balance import with_balanced_values
from bertline.optimization.calibrate import observe_inputs
from bertline.optimization.measure import Arrays, agreement, compute, matrix
from bertline.optimization.threshold import Chosen, choose_threshold
from bertline.optimization.vocabulary import PrunedVocabulary
from bertline.statistics.activation import softmax
from bertline.statistics.figures import percent
from bertline.tasks.classify.truth import read_truth
from bertline.tasks.contract import TaskSpec
from bertline.tasks.measured import text_logits
from bertline.text import Reading

STUDENT = "student"
MIXED_BELOW = 0.99  # agreement under which the products that hurt most are left in fp32
_SENSITIVE = (1, 2, 4)
SENSITIVITY_ROWS = 256
# A product that, quantised alone, moves the logits by more (of their spread) gets a balanced input. Of a MiniLM these
# are the feed-forward products of the first three layers; balancing all products agrees as well and takes 5 % longer.
BALANCE_ABOVE = 0.01


@dataclass(frozen=True)
class Candidate:
    """An engine with its files, its back end and a ``note`` for the report."""

    engine: Engine
    backend: Backend
    files: tuple[Path, ...]
    note: str = ""

    def but(self, note: str) -> Candidate:
        """The candidate with one more note."""
        return replace(self, note=f"{self.note}; {note}" if self.note else note)


@dataclass(frozen=True)
class EncodedRows:
    """Tokenised texts with their targets, if they have any."""

    readings: Sequence[Reading]
    targets: Sequence[object]
    pad_id: int

    @property
    def pairs(self) -> bool:
        """Whether the texts are pairs."""
        return any(piece.segments is not None for reading in self.readings for piece in reading.pieces)

    def batches(self, batch_tokens: int = 2048) -> Iterator[Batch]:
        """The pieces as batches, for calibration."""
        pieces = [piece for reading in self.readings for piece in reading.pieces]
        for rows in plan([len(piece.ids) for piece in pieces], batch_tokens):
            yield lay_out([pieces[row] for row in rows], self.pad_id)

    def evenly(self, number: int) -> list[int]:
        """Indices of at most so many of the rows, evenly spread."""
        some = min(number, len(self.readings))
        return [i * len(self.readings) // some for i in range(some)]

    def spread(self, number: int) -> EncodedRows:
        """At most so many of the rows, evenly spread, without their targets."""
        return EncodedRows([self.readings[i] for i in self.evenly(number)], (), self.pad_id)


@dataclass
class Workshop:
    """Builds engines of one bundle into ``folder``.

    Args:
        folder: where engine files go, below ``engines/``.
        tuning: the rows that ranges, sensitivity and thresholds are chosen on.
        pruned: the smaller vocabulary for the smallest engines.
        spec: the bundle's.
        lanes: batches computed at a time; None is one per core.

    Attributes:
        prepared: of each network, by name, the balanced one and how it is quantised.
        moved: how far each product, quantised alone, moves the network's logits.
        exact: each network's engine in fp32.
        answers: each engine's outputs for the tuning rows, by its name.
    """

    folder: Path
    tuning: EncodedRows
    pruned: PrunedVocabulary
    spec: TaskSpec
    lanes: int | None = None
    prepared: dict[str, tuple[Network, Recipe]] = field(default_factory=dict)
    moved: dict[str, dict[str, float]] = field(default_factory=dict)
    exact: dict[str, Candidate] = field(default_factory=dict)
    answers: dict[str, Arrays] = field(default_factory=dict)

    def fp32(self, file: Path) -> Candidate:
        """The engine that the bundle has from its training."""
        backend = OnnxBackend(file, lanes=self.lanes)
        record = FP32.model_copy(update={"outputs": (head_output(backend),)})
        candidate = Candidate(record, backend, (file, file.with_name("model.safetensors")))
        self.exact[FULL] = candidate
        return candidate

    def float_of(self, network: Network, name: str) -> Candidate:
        """A network in fp32."""
        candidate = self._built(f"{name}-fp32", name, "fp32", network, Recipe())
        self.exact[name] = candidate
        return candidate

    def int8(self, network: Network, name: str) -> Iterator[Candidate]:
        """Every product in eight bits; after it, where labels change too often, one with the worst left in fp32."""
        prefix = "" if name == FULL else f"{name}-"
        reference = self._reference(network, name)
        network, recipe = self._eight_bits(network, name)
        plain = self._built(f"{prefix}int8", name, "int8", network, recipe)
        yield plain
        if agreement(self.spec, self.logits(plain), reference) >= MIXED_BELOW:
            return
        worst = sorted(self.moved[name], key=lambda product: -self.moved[name][product])
        for number in _SENSITIVE:
            less = replace(recipe, float_products=frozenset(worst[:number]))
            mixed = self._built(f"{prefix}int8-mixed", name, "int8", network, less)
            if agreement(self.spec, self.logits(mixed), reference) >= MIXED_BELOW or number == _SENSITIVE[-1]:
                yield replace(mixed, note=f"in fp32: {', '.join(worst[:number])}")
                return

    def small(self, network: Network, name: str) -> Candidate:
        """Eight bits, and only the rows of the embedding table that the task uses."""
        prefix = "" if name == FULL else f"{name}-"
        network, eight_bits = self._eight_bits(network, name)
        recipe = replace(eight_bits, vocabulary=self.pruned.row, kept=self.pruned.kept)
        built = self._built(f"{prefix}small", name, "int8", network, recipe)
        covered = np.mean(
            [all(self.pruned.covers(piece.ids) for piece in reading.pieces) for reading in self.tuning.readings]
        )
        kept = f"{len(self.pruned.kept):,} token embeddings; {percent(float(covered))} of texts need no other"
        return replace(built, note=kept)

    def cascade(
        self, first: Candidate, second: Candidate, *, allowed: float, confidence: float
    ) -> tuple[Candidate, Chosen]:
        """``first`` where it is confident, ``second`` for the rest."""
        own, other = (text_logits(self.logits(candidate), len(self.spec.labels)) for candidate in (first, second))
        sure = softmax(own, self.spec.temperature).max(axis=1)
        truth = read_truth([str(target) for target in self.tuning.targets], self.spec.labels).rows
        chosen = choose_threshold(
            sure, own.argmax(axis=1) == truth, other.argmax(axis=1) == truth, allowed=allowed, confidence=confidence
        )
        engine = Engine(
            name="cascade",
            kind="cascade",
            precision="int8",
            network="cascade",
            parts=(first.engine.name, second.engine.name),
            threshold=chosen.threshold,
            batch_tokens=2 * first.engine.batch_tokens,
        )
        self.answers.pop(engine.name, None)
        backend = Cascade(first.backend, second.backend, threshold=chosen.threshold, temperature=self.spec.temperature)
        return Candidate(engine, backend, first.files + second.files, _promise(chosen, confidence)), chosen

    def logits(self, candidate: Candidate) -> Arrays:
        """A candidate's outputs for the tuning rows, computed once."""
        name = candidate.engine.name
        if name not in self.answers:
            self.answers[name] = _logits(candidate, self.tuning)
        return self.answers[name]

    def _eight_bits(self, network: Network, name: str) -> tuple[Network, Recipe]:
        """The network with balanced values, and how it is quantised: sensitive products get a balanced input."""
        if name not in self.prepared:
            exact = self._reference(network, name)
            reference = matrix([exact[i] for i in self.tuning.evenly(SENSITIVITY_ROWS)])
            balanced, observed = with_balanced_values(network, observe_inputs(network, self.tuning.batches()))
            recipe = Recipe(observed=observed, small_table=True)
            self.moved[name] = self._sensitivity(balanced, name, recipe, reference)
            sensitive = frozenset(product for product, by in self.moved[name].items() if by > BALANCE_ABOVE)
            self.prepared[name] = balanced, replace(recipe, balanced=sensitive)
        return self.prepared[name]

    def _sensitivity(self, network: Network, name: str, recipe: Recipe, reference: Logits) -> dict[str, float]:
        """By product, the deviation of the logits when it alone is quantised."""
        return {
            product: self._off(network, name, replace(recipe, observed={product: seen}), reference)
            for product, seen in recipe.observed.items()
        }

    def _off(self, network: Network, name: str, recipe: Recipe, reference: Logits) -> float:
        """An engine's deviation from the ``reference`` logits of ``SENSITIVITY_ROWS`` rows."""
        tried = self._built(".tried", name, "int8", network, recipe)
        return deviation(reference, matrix(_logits(tried, self.tuning.spread(SENSITIVITY_ROWS))))

    def _reference(self, network: Network, name: str) -> Arrays:
        """The outputs of the network's fp32 engine, which is built if missing."""
        return self.logits(self.exact.get(name) or self.float_of(network, name))

    def _built(
        self, engine: str, network_name: str, precision: Precision, network: Network, recipe: Recipe
    ) -> Candidate:
        file = self.folder / FOLDER / f"{engine}.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(export(network, replace(recipe, pairs=self.tuning.pairs)))
        self.answers.pop(engine, None)  # those of another engine that had this name
        record = Engine(
            name=engine,
            outputs=(network.output,),
            precision=precision,
            network=network_name,
            file=f"{FOLDER}/{file.name}",
        )
        return Candidate(record, OnnxBackend(file, precision=precision, lanes=self.lanes), (file,))


def _logits(candidate: Candidate, rows: EncodedRows) -> Arrays:
    return compute(candidate.backend, rows.readings, rows.pad_id, candidate.engine.batch_tokens)


def _promise(chosen: Chosen, confidence: float) -> str:
    summary = f"passes on {percent(chosen.passed_on, digits=0)} of the texts"
    if chosen.certified:
        return (
            f"{summary}; loses at most {100 * chosen.bound:.2f} points with {percent(confidence, digits=0)} confidence"
        )
    return f"{summary}; too few rows to promise a bound (at most {100 * chosen.bound:.2f} points)"
