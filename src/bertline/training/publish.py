"""From a trained classifier to what ships: figures, baselines, report, model card and the bundle around them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from bertline.bundle import Manifest, model_card, writing
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes, choose
from bertline.bundle.reference import ReferenceRows, Split, write_reference, write_token_counts
from bertline.data.examples import Example
from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.heads import Classifier
from bertline.evaluation.baselines import Baseline, measure_baselines
from bertline.evaluation.report import write_report
from bertline.export.exporter import FP32, write_embedding, write_fp32_engine
from bertline.statistics.calibration import fit_temperature
from bertline.statistics.intervals import Estimate
from bertline.tasks.classify.one_label import Evaluation, evaluate
from bertline.tasks.classify.spec import Spec
from bertline.tasks.classify.truth import read_truth
from bertline.tasks.history import EpochRecord
from bertline.text import Tokenizer
from bertline.training.prepare import Prepared
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings


@dataclass(frozen=True)
class Measured:
    """What the test rows showed: the encoder, the baselines, and the encoder's logits, [rows, labels].

    ``validation_logits`` are of the validation rows; a few of them become the bundle's probes.
    """

    evaluation: Evaluation
    baselines: tuple[Baseline, ...]
    logits: np.ndarray[Any, Any]
    validation_logits: np.ndarray[Any, Any]

    def headline(self) -> list[tuple[str, Estimate]]:
        """Figures by name, the baselines' accuracy among them."""
        first, *rest = self.evaluation.headline()
        return [first, *((f"accuracy of {one.name}", one.accuracy) for one in self.baselines), *rest]


@dataclass(frozen=True)
class Made:
    """Everything that a finished run hands over to be published."""

    classifier: Classifier
    tokenizer: Tokenizer
    prepared: Prepared
    settings: TrainSettings
    measured: Measured
    history: tuple[EpochRecord, ...]
    place: str
    truncation: tuple[str, str]
    train: Rows


def measure(
    logits: np.ndarray[Any, Any],
    validation_logits: np.ndarray[Any, Any],
    test: Rows,
    prepared: Prepared,
    settings: TrainSettings,
) -> Measured:
    """Evaluate the test rows' ``logits``, and the baselines on the same rows; validation rows give the temperature."""
    labels = prepared.labels.names
    truth = {name: read_truth([str(one.target) for one in some], labels) for name, some in prepared.splits.items()}
    texts = {name: [one.text for one in some] for name, some in prepared.splits.items()}
    evaluation = evaluate(
        truth=truth["test"].rows,
        unknown=truth["test"].unknown,
        logits=logits,
        temperature=fit_temperature(validation_logits, truth["validation"].rows),
        labels=labels,
        lengths=test.lengths,
        fields=[one.fields for one in prepared.test],
        texts=texts["test"],
        seed=settings.seed,
    )
    baselines = measure_baselines(
        train_texts=texts["train"],
        train_truth=truth["train"].rows,
        validation_texts=texts["validation"],
        validation_truth=truth["validation"].rows,
        texts=texts["test"],
        truth=truth["test"].rows,
        predicted=logits.argmax(1).astype(np.int64),
        labels=(*labels, *truth["test"].unknown),
        seed=settings.seed,
    )
    return Measured(evaluation, baselines, logits, validation_logits)


def publish(out: Path, made: Made, *, overwrite: bool) -> None:
    """Write the bundle ``out``: checkpoint, tokenizer, report, model card and manifest, whole or not at all."""
    settings, labels = made.settings, made.prepared.labels.names
    manifest = _manifest(out.name, made)
    facts = [*made.prepared.facts, made.truncation, ("Trained on", made.place)]
    with writing(out, manifest, overwrite=overwrite) as staging:
        save_classifier(staging, made.classifier, labels=labels)
        made.tokenizer.save(staging, max_tokens=settings.max_tokens)
        write_fp32_engine(staging, made.classifier)
        write_embedding(staging, made.classifier)
        _keep_rows(staging, made)
        write_report(
            staging / "report",
            made.measured.evaluation,
            history=made.history,
            baselines=made.measured.baselines,
            title=out.name,
            facts=facts,
            settings=[(name, str(value)) for name, value in _asked(settings).items()],
        )
        (staging / "README.md").write_text(model_card(manifest), encoding="utf-8")


def _keep_rows(staging: Path, made: Made) -> None:
    """The probes, and the held-out rows for whoever measures the bundle later."""
    labels, most = made.prepared.labels, made.settings.reference_rows
    validation = made.prepared.validation
    chosen = choose([len(one.text) for one in validation])
    texts = tuple(validation[i].text for i in chosen)
    Probes(texts, {FULL: made.measured.validation_logits[chosen]}).write(staging)
    write_token_counts(staging, (one.piece.ids for one in made.train.readings))
    known = tuple(one for one in made.prepared.test if str(one.target) in labels)  # no other can be told by an index
    splits: dict[Split, tuple[Example, ...]] = {"validation": validation, "test": known}
    for split, rows in splits.items() if most else ():
        kept = [rows[i * len(rows) // min(most, len(rows))] for i in range(min(most, len(rows)))]
        truth = tuple(labels.index(str(one.target)) for one in kept)
        write_reference(staging, split, ReferenceRows(tuple(one.text for one in kept), truth), labels.names)


def _manifest(name: str, made: Made) -> Manifest:
    settings, evaluation = made.settings, made.measured.evaluation
    baselines: dict[str, Any] = {
        one.name: {"accuracy": one.accuracy.to_json(), "macro_f1": one.macro_f1.to_json()}
        for one in made.measured.baselines
    }
    held_out = str(settings.eval_data) if settings.eval_data else f"held out of {settings.test_ratio:.0%} of the rows"
    return Manifest(
        name=name,
        task=Spec(labels=made.prepared.labels.names, temperature=evaluation.temperature),
        max_tokens=settings.max_tokens,
        truncation=settings.truncation,
        pooling=settings.pooling,
        training=_asked(settings) | {"place": made.place, "epochs_run": len(made.history)},
        data={"source": made.prepared.source}
        | dict(made.prepared.facts)
        | {"fingerprint": made.prepared.fingerprint.to_json()},
        metrics={"split": held_out, "rows": evaluation.rows, **evaluation.metrics(), "baselines": baselines},
        lineage={"base_model": Path(settings.model).name},
        engines=(FP32,),
    )


def _asked(settings: TrainSettings) -> dict[str, JsonValue]:
    """The settings of the run; those of the data are told as facts."""
    of_data = {"text_column", "label_column", "group_column", "slice_columns", "eval_data", "format", "encoding"}
    return settings.model_dump(mode="json", exclude=of_data)
