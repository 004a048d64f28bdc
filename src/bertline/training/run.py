"""``bertline train``: from a table to a verified bundle with its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from bertline.bundle.fields import MANIFEST
from bertline.bundle.reference import ReferenceRows, Split
from bertline.bundle.tree import sha256
from bertline.data.examples import Example
from bertline.data.labels import Labels
from bertline.data.settings import LabelledTableSettings
from bertline.data.targets import names_of
from bertline.encoder.agreement import load_tokenizer
from bertline.encoder.checkpoint import load_encoder, load_pretrained, read_config
from bertline.encoder.embedder import load_untrained
from bertline.encoder.heads import Classifier, Pooling
from bertline.encoder.network import TextNetwork
from bertline.encoder.outputs import OUTPUTS
from bertline.encoder.source import find_model
from bertline.errors import CheckpointError, SettingsError, TrainingError
from bertline.statistics.as_json import as_json
from bertline.statistics.figures import percent, title, value
from bertline.statistics.intervals import Estimate
from bertline.statistics.ranking import members
from bertline.tasks.classify.spec import Spec
from bertline.tasks.contract import TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.text import Tokenizer, Truncation
from bertline.training.adapt import Adapted, adapt, check_adapt
from bertline.training.facts import cut_fact
from bertline.training.few_shot import fit as few_shot
from bertline.training.few_shot.check import unused as unused_settings
from bertline.training.head_start import start_head
from bertline.training.measure import Measured, measure
from bertline.training.more_labels import MoreLabels, keep_more_labels, kept_more_labels
from bertline.training.of_table import are_long, chosen, chosen_facts, with_table
from bertline.training.parallel.join import current
from bertline.training.parallel.recipes import check_recipe, check_task
from bertline.training.preflight import check_disk
from bertline.training.prepare import Prepared, policy, prepare, spec_type, tokenise
from bertline.training.progress import Progress, Silent
from bertline.training.publish import Product, publish
from bertline.training.row_task import figures_of, of_spec
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.session import Fitted, Session, session
from bertline.training.settings import OF_PROCESSES, RUNS, TrainSettings

# Settings that do not change the result.
_FREE_TO_CHANGE = {"checkpoint_every_s", *OF_PROCESSES}
# Settings of the data, about which the bundle has facts.
_OF_DATA = {"eval_data", "group_column", "slice_columns", *LabelledTableSettings.model_fields}
# Settings of the encoder that the run starts with, which the lineage has.
_OF_START = {"adapt", "adapt_epochs"}
_NOT_IN_BUNDLE = _OF_DATA | _OF_START | OF_PROCESSES
# Settings that an embedder takes no notice of, or that its bundle has elsewhere.
_OF_CLASSIFIERS = {"pooling", "truncation", "head", "class_weights"}


@dataclass(frozen=True)
class Trained:
    """The result of a run: the bundle, the settings with the task's defaults, the test rows' figures, the epochs."""

    bundle: Path
    settings: TrainSettings
    measured: Measured
    fitted: Fitted

    @property
    def history(self) -> tuple[EpochRecord, ...]:
        """A record of each epoch."""
        return self.fitted.history

    def headline(self) -> list[tuple[str, Estimate]]:
        """The headline figures, the baselines' scores among them."""
        return self.measured.headline()


def train(
    source: str,
    out: Path,
    settings: TrainSettings,
    progress: Progress,
    *,
    resume: bool = False,
    overwrite: bool = False,
    lineage: Mapping[str, Any] = MappingProxyType({}),
) -> Trained:
    """Fine-tune ``settings.model`` on the table ``source`` and write the bundle ``out``.

    Args:
        source: the table's path, or ``-`` for standard input.
        out: directory of the bundle.
        settings: of the run.
        progress: listens to the run.
        resume: continue an unfinished run that was started with the same data and settings, if there is one, or leave
            a finished one as it is.
        overwrite: replace a bundle at ``out``, and discard an unfinished run.
        lineage: further entries of the bundle's lineage.

    Raises:
        DataError, CheckpointError, BundleError, DestinationError: the table, the model or the target cannot be used.
        TrainingError: an unfinished run is in the way, or had other data or settings, as a finished one may have that
            is to be resumed; a loss is not finite.
        Interrupted: a signal asked to stop; a checkpoint is on disk.
        AlreadyFinished: ``resume``, and the bundle is there, of a run with the same data and settings.
    """
    with session(out, settings, progress, resume=resume, overwrite=overwrite, baselines=True) as run:
        check_recipe(settings, run.ranks)
        check_adapt(settings)
        settings = settings.with_defaults(spec_type(source, settings).training_defaults)
        if run.before is not None:
            run.end_as_finished(_identity(prepare(source, settings, Silent()), settings))
        model, tokenizer = _open(out, settings)
        prepared = prepare(source, settings, run.progress)
        _check_model(prepared.spec, model, tokenizer)
        check_task(prepared.spec, run.ranks)
        identity, adapted = _identity(prepared, settings), None
        if settings.adapt:
            adapted = adapt(run, source, prepared, tokenizer, settings, identity)
        own = identity if adapted is None else {**identity, "adapted weights": adapted.sha256}
        trained, product = _fine_tune(run, model, adapted, tokenizer, prepared, settings, own)
        publish(run, replace(product, identity=identity, lineage={**product.lineage, **lineage}))
    return trained


def check(source: str, out: Path, settings: TrainSettings, progress: Progress) -> None:
    """Check all that ``train`` checks before it trains, and note the facts about the table; nothing is written.

    Raises:
        DataError, CheckpointError, DestinationError, TrainingError: as by ``train``.
    """
    check_adapt(settings)
    settings = settings.with_defaults(spec_type(source, settings).training_defaults)
    model, tokenizer = _open(out, settings)
    prepared = prepare(source, settings, progress)
    _check_model(prepared.spec, model, tokenizer)
    rows = tokenise(prepared.train, tokenizer, prepared.spec, settings)
    truncation = Truncation(settings.max_tokens, policy(prepared.spec, settings))
    for fact in (cut_fact(rows.readings, truncation), *prepared.spec.notes(rows.targets, rows.readings)):
        progress.note(": ".join(fact))


def _open(out: Path, settings: TrainSettings) -> tuple[Path, Tokenizer]:
    """The checkpoint's directory and its tokenizer.

    All of the checkpoint is read, which takes a second, so that what is wrong with it is said before a table is read
    and searched for duplicates.
    """
    model = find_model(settings.model)
    config, _ = read_config(model)
    if settings.max_tokens > config.max_tokens:
        raise TrainingError(
            f"--max-tokens is {settings.max_tokens}, but {settings.model} has {config.max_tokens} positions: "
            f"give at most {config.max_tokens}"
        )
    tokenizer = load_tokenizer(model, bundle=(model / MANIFEST).is_file())
    network = load_pretrained(model, labels=2, pooling=settings.pooling, dropout=settings.dropout)
    if current().leads:
        check_disk(out, network, RUNS[settings.quality])
    return model, tokenizer


def _check_model(spec: TaskSpec, model: Path, tokenizer: Tokenizer) -> None:
    """Before anything is trained.

    Raises:
        CheckpointError: the task reads pairs, and the model has no second segment for its tokenizer's second texts.
        SettingsError: an embedding cannot be cut to so many dimensions.
    """
    config, _ = read_config(model)
    if (longest := max(getattr(spec, "dimensions", ()), default=0)) >= config.hidden:
        raise SettingsError(
            f"--matryoshka has {longest:,}, and the vectors of {model} have {config.hidden:,} dimensions: give shorter "
            "lengths"
        )
    if spec.pairs and tokenizer.second_segment and config.segments == 1:
        raise CheckpointError(
            f"{model} has one segment (type_vocab_size in config.json), so it cannot read pairs of texts: give another "
            "--model"
        )


def _fine_tune(
    run: Session,
    model: Path,
    adapted: Adapted | None,
    tokenizer: Tokenizer,
    prepared: Prepared,
    settings: TrainSettings,
    identity: Mapping[str, Any],
) -> tuple[Trained, Product]:
    """Train on the prepared rows and evaluate the network."""
    spec = prepared.spec
    splits = prepared.splits.values()
    read = {id(some): tokenise(some, tokenizer, spec, settings) for some in splits}  # few-shot: of one, used thrice
    train, validation, test = (read[id(some)] for some in splits)
    truncation = Truncation(settings.max_tokens, policy(spec, settings))
    given, settings = settings, with_table(settings, spec, train)
    facts = [cut_fact([reading for some in read.values() for reading in some.readings], truncation)]
    facts += [*spec.notes(train.targets, train.readings), *chosen_facts(given, settings, train)]
    for fact in facts:
        run.progress.note(": ".join(fact))
    facts += [] if adapted is None else [adapted.fact]
    classifier, more = _start(run, model, adapted, spec, train, validation, settings)
    how = {"balanced": settings.class_weights == "balanced", "keeps_last": "patience" in chosen(given, settings)}
    task = of_spec(spec, train, validation, settings, **how)
    device = run.placement.device
    untrained = score(classifier.to(device), test, device, run.ranks) if spec.apart else None
    metrics: Mapping[str, Any] = {}
    if settings.few_shot and isinstance(spec, Spec) and isinstance(classifier, Classifier):
        few = few_shot.fit_few(run, classifier, spec, prepared.train, train, test, settings)
        fitted, evaluated, metrics, facts = few.fitted, few.evaluated, few.metrics, [*facts, *few.facts]
    else:
        fitted = evaluated = run.fit(classifier, task, test, identity, runs=RUNS[settings.quality])
        facts += fitted.facts
    measured = measure(train, validation, test, evaluated, prepared, settings, tokenizer, untrained)
    if more is not None:
        metrics, facts = {**metrics, "more_labels": more.to_json()}, [*facts, _told(run, more, measured)]
    return Trained(run.out, settings, measured, fitted), Product(
        spec=measured.spec,
        classifier=classifier,
        tokenizer=tokenizer,
        truncation=truncation,
        task=task,
        fitted=fitted,
        evaluation=measured.evaluation,
        baselines=measured.baselines,
        words=measured.words,
        more=measured.more,
        metrics={**metrics, **measured.more, "baselines": {one.name: _json(one.figures) for one in measured.baselines}},
        test_source=_test_source(settings),
        reference=_reference(prepared, settings),
        headline=measured.headline(),
        settings=settings.model_dump(mode="json", exclude=_unused(spec, given, settings)),
        data={"source": prepared.source, **dict(prepared.facts), "fingerprint": as_json(prepared.fingerprint)},
        facts=[*prepared.facts, *facts],
        lineage={
            "base_model": Path(settings.model).name,
            **({} if adapted is None else {"adapted": adapted.lineage}),
        },
    )


def _unused(spec: TaskSpec, given: TrainSettings, settings: TrainSettings) -> set[str]:
    """Settings that are not in the bundle's, or not there; a successor's table decides again what this one decided."""
    apart = _OF_CLASSIFIERS if spec.apart else set()
    return _NOT_IN_BUNDLE | apart | unused_settings(settings) | chosen(given, settings)


def _told(run: Session, more: MoreLabels, measured: Measured) -> tuple[str, str]:
    """What more labels would buy the trained model."""
    fact = more.fact(measured.evaluation.metrics()["accuracy"]["value"])
    run.progress.note(": ".join(fact))
    return fact


def _start(
    run: Session,
    model: Path,
    adapted: Adapted | None,
    spec: TaskSpec,
    train: Rows,
    validation: Rows,
    settings: TrainSettings,
) -> tuple[TextNetwork, MoreLabels | None]:
    """The network that the run begins with, and what more labels would buy it."""
    torch.manual_seed(settings.seed)
    if spec.apart:
        own = settings.pooling if "pooling" in settings.model_fields_set else None
        embedder = load_untrained(model, pooling=own, dropout=settings.dropout)
        if adapted is not None:
            embedder.encoder.load_state_dict(load_encoder(adapted.directory).state_dict())
        return embedder, None
    pooling: Pooling = "none" if OUTPUTS[spec.output].by_token else settings.pooling
    pooling = "normalised" if settings.few_shot else pooling
    classifier = load_pretrained(model, labels=len(spec.labels), pooling=pooling, dropout=settings.dropout)
    if adapted is not None:  # the head still begins as the model's own
        classifier.encoder.load_state_dict(load_encoder(adapted.directory).state_dict())
    if settings.head != "fitted" or settings.few_shot or spec.output != "logits":
        return classifier, None
    if run.resumes:
        return classifier, kept_more_labels(run.directory)
    how: Any = {"balanced": settings.class_weights == "balanced", "ranks": run.ranks, "seed": settings.seed}
    how |= {"dropout": classifier.head.dropout.p} if are_long(train) else {}
    started = start_head(classifier, spec, train, validation, run.placement, **how)
    if run.ranks.leads:
        keep_more_labels(run.directory, started.more_labels)
    name, number = next(iter(figures_of(spec, started.validation)(started.outputs).items()))
    run.progress.note(f"Head: fitted on the frozen encoder, {title(name)} {value(name, number)} on validation rows")
    return classifier, started.more_labels


def _test_source(settings: TrainSettings) -> str:
    if settings.eval_data is not None:
        return str(settings.eval_data)
    return (
        few_shot.TEST_SOURCE
        if settings.few_shot
        else f"held out of {percent(settings.test_ratio, digits=0)} of the rows"
    )


def _identity(prepared: Prepared, settings: TrainSettings) -> dict[str, Any]:
    """Whatever a resumed run must share with the one that it continues."""
    texts = {"text to adapt to": [sha256(Path(one)) for one in settings.adapt]} if settings.adapt else {}
    return {
        "data": prepared.fingerprint.sha256,
        "evaluation data": prepared.test_fingerprint.sha256,
        **texts,
        **settings.model_dump(mode="json", exclude=_FREE_TO_CHANGE),
    }


def _reference(prepared: Prepared, settings: TrainSettings) -> dict[Split, ReferenceRows]:
    """Rows of the validation and test splits, evenly spread, whose labels the model knows."""
    most, names = settings.reference_rows, prepared.spec.names
    labels = Labels(names)
    known = [one for one in prepared.test if not names or all(name in labels for name in names_of(one.target))]
    splits: dict[Split, Sequence[Example]] = {"validation": prepared.validation, "test": known}
    spread = {split: _some(rows, most, prepared.spec) for split, rows in splits.items()}
    return {
        split: ReferenceRows(tuple(example.input for example in rows), tuple(example.target for example in rows))
        for split, rows in spread.items()
        if most
    }


def _some(rows: Sequence[Example], most: int, spec: TaskSpec) -> list[Example]:
    """At most so many rows, evenly spread; for a ranker the first queries that fit whole."""
    if spec.reads == "query":
        queries = members([example.text for example in rows])
        ends = accumulate(map(len, queries))
        return [rows[i] for some, end in zip(queries, ends, strict=True) if end <= most for i in some]
    return [rows[i * len(rows) // min(most, len(rows))] for i in range(min(most, len(rows)))]


def _json(figures: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: estimate.to_json() for name, estimate in figures.items()}
