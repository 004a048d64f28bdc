"""From a trained classifier to its bundle: manifest, probes, reference rows, report and model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from bertline.encoder.network import TextNetwork
from bertline.errors import DestinationError
from bertline.evaluation.baselines import Baseline
from bertline.evaluation.report import write_report
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.statistics.intervals import Estimate
from bertline.tasks.contract import Array, Evaluation, TaskSpec
from bertline.text import Tokenizer, Truncation
from bertline.text.reading import texts_of
from bertline.training.facts import Fact
from bertline.training.finished import RUN, run_record
from bertline.training.row_task import RowTask
from bertline.training.rows import Rows
from bertline.training.session import Fitted, Session
from bertline.training.words import TITLE as WORDS_TITLE
from bertline.training.words import KeptWords


@dataclass(frozen=True)
class Product:
    """A trained classifier and whatever its bundle says of it.

    Attributes:
        spec: of its task, with what the validation rows chose, as its temperature.
        classifier: the network.
        tokenizer: of the network.
        truncation: how it reads long texts.
        task: what it learned.
        fitted: its epochs and outputs.
        evaluation: of the test rows.
        test_source: where the test rows are from.
        reference: held-out rows for whoever measures the bundle later.
        settings: of the run, without those of the data, which are facts.
        data: facts about the data, for the model card.
        facts: for the report.
        lineage: where the weights are from.
        metrics: figures beside those of ``evaluation``.
        baselines: on the same rows, for the report.
        words: the linear model that the bundle keeps; None without one.
        curves: whether the report draws the losses by epoch.
        headline: the headline figures, for whoever requests the same run again.
        identity: whatever that run must share with this one, by name.
        more: figures for it that neither the report nor the headline has.
    """

    spec: TaskSpec
    classifier: TextNetwork
    tokenizer: Tokenizer
    truncation: Truncation
    task: RowTask
    fitted: Fitted
    evaluation: Evaluation
    test_source: str
    reference: Mapping[Split, ReferenceRows]
    settings: Mapping[str, JsonValue]
    data: Mapping[str, Any]
    facts: Sequence[Fact]
    lineage: Mapping[str, JsonValue]
    metrics: Mapping[str, Any]
    baselines: Sequence[Baseline] = ()
    words: KeptWords | None = None
    curves: bool = True
    headline: Sequence[tuple[str, Estimate]] = ()
    identity: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def publish(session: Session, product: Product) -> None:
    """Write the session's bundle, whole or not at all.

    Raises:
        BundleError: there is one already.
        DestinationError: the disk refused; the checkpoint is kept.
    """
    place, fitted = session.placement.name, product.fitted
    parts = Parts(
        network=partial(write_network, network=product.classifier, spec=product.spec),
        tokenizer=product.tokenizer,
        engines=() if product.words is None else (product.words.model.write,),
        probes=_probes(product.task.validation, fitted.validation, product.classifier.output),
        reference=product.reference,
        trained=(piece.ids for piece in product.task.train.pieces),
        seen=(one.input for rows in (product.task.train, product.task.validation) for one in rows.readings),
        report=partial(_write_report, title=session.out.name, place=place, product=product),
    )
    try:
        compose(session.out, _manifest(session.out.name, place, product), parts, overwrite=session.overwrite)
    except DestinationError as error:
        raise DestinationError(f"{error}; the trained weights are kept: run the same command with --resume") from error


def _write_report(directory: Path, title: str, place: str, product: Product) -> None:
    words = () if product.words is None else ((WORDS_TITLE, product.words.sentence),)
    write_report(
        directory,
        product.evaluation,
        title=title,
        history=product.fitted.history if product.curves else (),
        baselines=product.baselines,
        facts=[*product.facts, *words, ("Trained on", place)],
        settings=[(name, str(value)) for name, value in product.settings.items()],
    )
    rows = f"{product.evaluation.rows:,} test rows"
    record = run_record(product.identity, rows, product.headline, product.more)
    (directory / RUN).write_text(record, encoding="utf-8")


def _manifest(name: str, place: str, product: Product) -> Manifest:
    evaluation = product.evaluation
    return Manifest(
        name=name,
        task=product.spec,
        max_tokens=product.truncation.max_tokens,
        truncation=product.truncation.policy,
        pooling=product.classifier.pooling,
        training={**product.settings, "place": place, "epochs_run": len(product.fitted.history)},
        data=dict(product.data),
        metrics={
            "split": product.test_source,
            "rows": evaluation.rows,
            **evaluation.metrics(),
            **product.metrics,
        },
        lineage=dict(product.lineage),
        engines=(FP32.model_copy(update={"outputs": (product.classifier.output,)}),),
    )


def _probes(rows: Rows, outputs: Sequence[Array], output: str) -> Probes:
    """Some texts of one piece among ``rows``, with the network's ``outputs`` for them."""
    each = enumerate(one for reading in rows.readings for one in reading.inputs)
    single = {i: one for i, one in each if one is not None}
    places, inputs = [*single], [*single.values()]
    chosen = choose([sum(map(len, texts_of(text))) for text in inputs])
    arrays = [np.atleast_2d(outputs[places[i]]) for i in chosen]
    logits = {FULL: np.concatenate(arrays)} if arrays else {}
    return Probes(tuple(inputs[i] for i in chosen), logits, output)
