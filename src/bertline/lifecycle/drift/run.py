"""From a bundle and new texts, of a table or of a store of predictions, to what has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bertline.bundle import load
from bertline.bundle.reference import read_token_counts
from bertline.data.corpus import inputs_of
from bertline.data.examples import read_examples
from bertline.data.formats import name_of
from bertline.data.rows import BadRows, rows_left_out
from bertline.data.shared_names import check_shared_names
from bertline.data.targets import Target
from bertline.errors import BundleError, DataError, SettingsError
from bertline.inference import TextClassifier, load_predictor
from bertline.lifecycle.drift.compare import compare
from bertline.lifecycle.drift.found import Drift
from bertline.lifecycle.drift.known import Known
from bertline.lifecycle.drift.language import identifies
from bertline.lifecycle.drift.live_accuracy import NoTestRows, live_accuracy
from bertline.lifecycle.drift.recorded import recorded_window
from bertline.lifecycle.drift.reference import Reference, chosen
from bertline.lifecycle.drift.settings import DriftSettings
from bertline.lifecycle.drift.window import LEAST_ROWS, Window, observe
from bertline.statistics.sequential import AccuracyDrop, Baseline, accuracy_drop
from bertline.tasks import task
from bertline.tasks.contract import TaskSpec
from bertline.text import Input

if TYPE_CHECKING:
    from bertline.database.database import Database
    from bertline.lifecycle.predictions.accuracy_checks import AccuracyCheck
    from bertline.lifecycle.predictions.checks import DriftCheck
    from bertline.lifecycle.predictions.kept import Span


@dataclass(frozen=True, slots=True)
class TableDrift:
    """What was found, the name of the table, sentences to read beside it, and the test of a store's feedback."""

    drift: Drift
    source: str
    notes: tuple[str, ...]
    accuracy: AccuracyCheck | None = None

    def check(self, model: str) -> DriftCheck:
        """What a store of predictions keeps of a comparison that was made now."""
        from bertline.lifecycle.predictions.checks import DriftCheck
        from bertline.lifecycle.predictions.records import now_ms

        accuracy = self.drift.accuracy
        return DriftCheck(
            model,
            now_ms(),
            self.drift.new_rows,
            self.drift.kind,
            {one.name: one.adjusted for one in self.drift.tests},
            None if accuracy is None else accuracy.estimate.value,
            self.drift.level,
        )


def drift_of_table(bundle: Path, data: str, settings: DriftSettings) -> TableDrift:
    """Compare the texts of a table with the rows that the bundle was measured on.

    Args:
        bundle: the directory.
        data: a table, a .txt file with a text per line, or ``-``.
        settings: how to read and compare.

    Raises:
        BundleError: it cannot be loaded, or carries no reference rows.
        DataError: the table cannot be read, or has too few texts.
        SettingsError: a column is set that the model does not read.
    """
    predictor = load_predictor(bundle, engine=settings.engine)
    rows, notes = _labelled(data, settings, predictor) if settings.labelled else _unlabelled(data, settings, predictor)
    return _compared(bundle, predictor, NewTexts(name_of(data, "input"), rows, notes), settings)


def drift_of_store(
    bundle: Path, store: Database, model: str, settings: DriftSettings, span: Span = (None, None)
) -> TableDrift:
    """Compare the texts that clients sent with the rows that the bundle was measured on.

    Where texts were not kept, the bundle's own answers, the lengths of their texts and the embeddings of a sample are
    compared. Feedback on the bundle's own answers is tested for a drop of accuracy.

    Args:
        bundle: the directory.
        store: of predictions.
        model: its name for clients.
        settings: how to compare.
        span: when the predictions were made: from one moment on, and before another.

    Raises:
        BundleError: as ``drift_of_table``.
        DataError: the store has too few texts and answers, or no feedback that ``settings.labelled`` asks for.
        PredictionStoreError: the store cannot be read.
    """
    try:
        live = live_accuracy(bundle, store, model, settings, span)
    except NoTestRows as error:
        if settings.labelled:
            raise
        live, notes = None, [f"feedback is not tested for a drop of accuracy: {error}"]
    else:
        notes = [] if live is None else live.notes()
    unlabelled = settings.model_copy(update={"labelled": False})  # the labels are not beside the texts
    found = _of_predictions(bundle, store, model, unlabelled, span)
    drift = replace(found.drift, labelled=None if live is None else live.drop)
    tested = None if live is None else live.check
    return replace(found, drift=drift, notes=(*found.notes, *notes), accuracy=tested)


def _of_predictions(bundle: Path, store: Database, model: str, settings: DriftSettings, span: Span) -> TableDrift:
    from bertline.lifecycle.predictions.kept import kept_texts

    source = f"predictions of {model}"
    kept, without, redacted = kept_texts(store, model, span, most=settings.rows, seed=settings.seed)
    if without and len(kept) < LEAST_ROWS:
        return _of_answers(bundle, store, model, source, settings, span)
    notes = []
    if without:
        notes.append(f"{without:,} predictions have no text: bertline serve --predictions-text keeps texts")
    if redacted:
        notes.append(f"{redacted:,} texts were redacted, which may itself show as a change")
    rows: list[tuple[int, Input, Target]] = [(place, one, "") for place, one in enumerate(kept, 1)]
    return _compared(bundle, load_predictor(bundle, engine=settings.engine), NewTexts(source, rows, notes), settings)


@dataclass(frozen=True, slots=True)
class NewTexts:
    """New rows: what they are called, each with its place, input and label, and sentences about them."""

    source: str
    rows: list[tuple[int, Input, Target]]
    notes: list[str]


def _compared(bundle: Path, predictor: TextClassifier, new: NewTexts, settings: DriftSettings) -> TableDrift:
    spec = load(bundle).manifest.task
    reference = Reference.of(bundle, spec.names, settings)
    embedder = load_predictor(bundle, output="embedding")
    places, inputs, truth, notes = _usable(new, settings, predictor)
    common = frozenset(read_token_counts(bundle))
    before = observe(predictor, embedder, reference.rows.inputs, common=common)
    after = observe(predictor, embedder, inputs, places, common=common)
    drift = _drift(spec, reference, before, after, settings)
    if truth:
        drift = replace(drift, labelled=_dropped(bundle, spec, before, after, reference, truth))
    if not identifies():
        notes.append("languages are not compared: pip install 'bertline[language]' adds that")
    return TableDrift(drift, new.source, tuple(notes))


def _of_answers(
    bundle: Path, store: Database, model: str, source: str, settings: DriftSettings, span: Span
) -> TableDrift:
    from bertline.lifecycle.predictions.kept import kept_answers

    manifest = load(bundle).manifest
    kept = kept_answers(store, model, manifest.checksum, span, most=settings.rows, seed=settings.seed)
    if len(kept) < LEAST_ROWS:
        raise DataError(
            f"{store.place} has {len(kept)} answers of {bundle}, and those of other versions cannot be compared "
            f"without their texts: give the bundle that answers as {model}, or wait for at least {LEAST_ROWS}"
        )
    spec, reference = manifest.task, Reference.of(bundle, manifest.task.names, settings)
    predictor = load_predictor(bundle, engine=settings.engine)
    embedder = load_predictor(bundle, output="embedding")
    before = observe(predictor, embedder, reference.rows.inputs, one_piece=not reference.labels(spec))
    after = recorded_window(spec, kept)
    notes = ["texts were not kept: answers and lengths are compared; bertline serve --predictions-text keeps texts"]
    if (embedded := len(after.embeddings)) >= LEAST_ROWS:
        notes.append(f"{embedded:,} of {len(after):,} predictions have embeddings, which are compared too")
    else:
        notes.append("embeddings are not compared: bertline serve --predictions-embeddings 0.1 keeps those of a tenth")
    return TableDrift(_drift(spec, reference, before, after, settings), source, tuple(notes))


def _drift(spec: TaskSpec, reference: Reference, before: Window, after: Window, settings: DriftSettings) -> Drift:
    return compare(
        before,
        after,
        reference.labels(spec),
        spec.labels,
        one_unit=task(spec.task).watched.ONE_UNIT,
        tested=reference.tested,
        level=settings.level,
        seed=settings.seed,
    )


def _usable(
    new: NewTexts, settings: DriftSettings, predictor: TextClassifier
) -> tuple[list[int], list[Input], list[Target], list[str]]:
    """Places and inputs that are compared, at most ``settings.rows``, their labels if wanted, and what was left out."""
    rows, notes = new.rows, [*new.notes]
    legible = [one for one in rows if predictor.tokenizer.reads(_whole(one[1]))]
    if len(legible) < len(rows):
        notes.append(f"{len(rows) - len(legible):,} texts without a token that the model reads are left out")
    if len(legible) < LEAST_ROWS:
        raise DataError(
            f"{new.source} has {len(legible)} texts: give at least {LEAST_ROWS}, better hundreds; fewer show only the "
            "crudest change"
        )
    kept = [legible[i] for i in chosen(len(legible), settings)]
    if len(kept) < len(legible):
        notes.append(f"{len(kept):,} of {len(legible):,} texts are compared, chosen at random (--rows)")
    truth = [one[2] for one in kept] if settings.labelled else []
    return [one[0] for one in kept], [one[1] for one in kept], truth, notes


def _unlabelled(
    data: str, settings: DriftSettings, predictor: TextClassifier
) -> tuple[list[tuple[int, Input, Target]], list[str]]:
    bad = BadRows(name_of(data, "input"))
    rows: list[tuple[int, Input, Target]] = [
        (place, one, "") for place, one in inputs_of(data, settings, bad, reads=predictor.spec.reads)
    ]
    if bad and not settings.skip_bad_rows:
        raise bad.error()
    return rows, [sentence for sentence in [rows_left_out(bad.counts)] if sentence is not None]


def _labelled(
    data: str, settings: DriftSettings, predictor: TextClassifier
) -> tuple[list[tuple[int, Input, Target]], list[str]]:
    spec = predictor.spec
    if not spec.ranked or spec.kind != task("classify").spec.Spec(labels=spec.labels).kind:
        raise SettingsError(f"labelled is set, but {predictor.name} does not give each text one label: leave it out")
    dataset = read_examples(data, settings, kind=spec.kind, pairs=spec.pairs, trainable=False)
    check_shared_names(dataset, spec.names, f"that {predictor.name} knows")
    skipped = rows_left_out(dataset.skipped)
    rows = [(one.line, one.input, one.target) for one in dataset.examples]
    return rows, [] if skipped is None else [skipped]


def _dropped(
    bundle: Path, spec: TaskSpec, before: Window, after: Window, reference: Reference, truth: Sequence[Target]
) -> AccuracyDrop:
    """Whether accuracy dropped in the order of the rows.

    Raises:
        BundleError: no reference row is a test row.
    """
    labels = reference.labels(spec)[: reference.tested]
    if not labels:
        raise BundleError(f"{bundle} carries no test rows (reference/test.jsonl) whose accuracy could be expected")
    known = Known.of(before, after, labels, spec.labels)
    expected = Baseline.of(known.right_before(len(labels)))
    return accuracy_drop(known.right_after([str(one) for one in truth]), expected)


def _whole(one: Input) -> str:
    return one if isinstance(one, str) else " ".join(one)
