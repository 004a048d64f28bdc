"""From a trained classifier to its bundle: figures, baselines, report and model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from bertline.bundle import Manifest
from bertline.bundle.compose import Parts, compose
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes, choose
from bertline.bundle.reference import ReferenceRows, Split
from bertline.data.examples import Example
from bertline.data.names import canonical
from bertline.data.settings import LabelledTableSettings
from bertline.data.targets import names_of
from bertline.encoder.heads import Classifier, Pooling
from bertline.encoder.outputs import OUTPUTS
from bertline.evaluation.baselines import Baseline, measure_baselines
from bertline.evaluation.report import write_report
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.statistics.intervals import Estimate
from bertline.tasks import task
from bertline.tasks.contract import Array, Evaluation, TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.text import Tokenizer
from bertline.text.reading import texts_of
from bertline.training.facts import Fact
from bertline.training.prepare import Prepared, policy
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings


@dataclass(frozen=True)
class Measured:
    """The figures of the test rows: of the encoder and the baselines.

    ``spec`` has what the validation rows chose, as its temperature. The outputs are the network's for each row; a few
    of those of validation rows become the bundle's probes.
    """

    spec: TaskSpec
    evaluation: Evaluation
    baselines: tuple[Baseline, ...]
    validation_outputs: Sequence[Array]
    test_outputs: Sequence[Array]

    def headline(self) -> list[tuple[str, Estimate]]:
        """Figures by name, the baselines' scores among them."""
        first, *rest = self.evaluation.headline()
        return [first, *((f"{first[0]} of {baseline.name}", baseline.score) for baseline in self.baselines), *rest]


@dataclass(frozen=True)
class Made:
    """Everything of a finished run that its bundle needs."""

    classifier: Classifier
    tokenizer: Tokenizer
    prepared: Prepared
    settings: TrainSettings
    measured: Measured
    history: tuple[EpochRecord, ...]
    facts: tuple[Fact, ...]
    train: Rows
    validation: Rows


def pooling(spec: TaskSpec, settings: TrainSettings) -> Pooling:
    """How the head reads the encoder: an output for each token has no pooling."""
    return "none" if OUTPUTS[spec.output].by_token else settings.pooling


def measure(
    rows: Mapping[str, Rows], outputs: Mapping[str, Sequence[Array]], prepared: Prepared, settings: TrainSettings
) -> Measured:
    """Evaluate the test rows' ``outputs``, and baselines on the same rows; validation rows give the temperature."""
    spec, measuring = prepared.spec, task(prepared.spec.task).measure
    validation, test = rows["validation"], rows["test"]
    arrays = {name: rows[name].by_text(outputs[name]) for name in ("validation", "test")}
    tuned = measuring.tune(spec, validation.targets, arrays["validation"], validation.readings)
    fields = [example.fields for example in prepared.test]
    evaluation = measuring.measure(
        tuned, test.targets, arrays["test"], test.readings, fields=fields, seed=settings.seed
    )
    baselines = measure_baselines(
        tuned,
        evaluation,
        train=prepared.train,
        validation=prepared.validation,
        test=prepared.test,
        arrays=arrays["test"],
        readings=test.readings,
    )
    return Measured(tuned, evaluation, baselines, outputs["validation"], outputs["test"])


def publish(out: Path, made: Made, *, overwrite: bool) -> None:
    """Write the bundle ``out``: checkpoint, tokenizer, report, model card and manifest, whole or not at all."""
    manifest = _manifest(out.name, made)
    parts = Parts(
        network=partial(write_network, classifier=made.classifier, spec=manifest.task),
        tokenizer=made.tokenizer,
        probes=probes_of(made.validation, made.measured.validation_outputs, made.classifier.output),
        reference=_reference(made),
        trained=(piece.ids for piece in made.train.pieces),
        report=partial(
            write_report,
            evaluation=made.measured.evaluation,
            history=made.history,
            baselines=made.measured.baselines,
            title=out.name,
            facts=[*made.prepared.facts, *made.facts],
            settings=[(name, str(value)) for name, value in _run_settings(made.settings).items()],
        ),
    )
    compose(out, manifest, parts, overwrite=overwrite)


def probes_of(rows: Rows, outputs: Sequence[Array], output: str) -> Probes:
    """Some texts of one piece among ``rows``, with the network's ``outputs`` for them."""
    single = [i for i, text in enumerate(rows.text_of) if len(rows.readings[text].pieces) == 1]
    inputs = [rows.readings[rows.text_of[i]].input for i in single]
    chosen = choose([sum(map(len, texts_of(text))) for text in inputs])
    arrays = [np.atleast_2d(outputs[single[i]]) for i in chosen]
    logits = {FULL: np.concatenate(arrays)} if arrays else {}
    return Probes(tuple(inputs[i] for i in chosen), logits, output)


def _reference(made: Made) -> dict[Split, ReferenceRows]:
    """Held-out rows for whoever measures the bundle later."""
    most, names = made.settings.reference_rows, {canonical(name) for name in made.measured.spec.names}
    known = [example for example in made.prepared.test if names.issuperset(map(canonical, names_of(example.target)))]
    splits: dict[Split, Sequence[Example]] = {"validation": made.prepared.validation, "test": known}
    kept = {
        split: [rows[i * len(rows) // min(most, len(rows))] for i in range(min(most, len(rows)))]
        for split, rows in splits.items()
    }
    return {
        split: ReferenceRows(tuple(example.input for example in rows), tuple(example.target for example in rows))
        for split, rows in kept.items()
        if most
    }


def _manifest(name: str, made: Made) -> Manifest:
    settings, measured = made.settings, made.measured
    baselines: dict[str, Any] = {
        baseline.name: {name: estimate.to_json() for name, estimate in baseline.figures.items()}
        for baseline in measured.baselines
    }
    held_out = str(settings.eval_data) if settings.eval_data else f"held out of {settings.test_ratio:.0%} of the rows"
    evaluation = measured.evaluation
    return Manifest(
        name=name,
        task=measured.spec,
        max_tokens=settings.max_tokens,
        truncation=policy(measured.spec, settings),
        pooling=made.classifier.pooling,
        training=_run_settings(settings) | {"place": dict(made.facts)["Trained on"], "epochs_run": len(made.history)},
        data={"source": made.prepared.source}
        | dict(made.prepared.facts)
        | {"fingerprint": made.prepared.fingerprint.to_json()},
        metrics={"split": held_out, "rows": evaluation.rows, **evaluation.metrics(), "baselines": baselines},
        lineage={"base_model": Path(settings.model).name},
        engines=(FP32.model_copy(update={"outputs": (made.classifier.output,)}),),
    )


def _run_settings(settings: TrainSettings) -> dict[str, JsonValue]:
    """The settings of the run, without those of the data, which are facts."""
    of_data = {"eval_data", "group_column", "slice_columns", *LabelledTableSettings.model_fields}
    return settings.model_dump(mode="json", exclude=of_data)
