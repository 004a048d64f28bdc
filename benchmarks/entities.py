"""Entities in WNUT-16: F1 of bertline on a fixed hold-out beside transformers' own fine-tuning.

    python -m benchmarks.entities

Both train the same checkpoint on the same rows with the same labels, seeds, epochs and learning rate; the epoch is
chosen by each on the same validation rows. Every run is kept in build/benchmarks, and the hold-out is scored once per
trained model. The engines of the first seed's model follow, and those of a student of half its layers. Writes the
section of docs/quality.md.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

from benchmarks.parts.machine import describe
from benchmarks.parts.peer_trainer import BATCH_ROWS, resumed
from benchmarks.parts.tasks import BUILD, MODEL, SEEDS
from benchmarks.quality import SECTIONS, write_page
from bertline.encoder.source import find_model
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.tasks.tag import measure
from bertline.text import Tokenizer
from bertline.training.distillation.run import distill
from bertline.training.distillation.settings import DistillSettings
from bertline.training.prepare import Prepared, prepare, tokenise
from bertline.training.progress import Silent
from bertline.training.rows import Rows
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import wnut16

SETTINGS = TrainSettings(
    model=MODEL, epochs=10, patience=10, lr=3e-4, precision="fp32", keep_duplicates=True, reference_rows=500
)
STUDENT = DistillSettings(layers=3, epochs=8, patience=8)
Outputs = list[Any]
Engines = dict[str, dict[str, Any]]


def settings_of(seed: int) -> TrainSettings:
    """The settings of one run."""
    return SETTINGS.model_copy(update={"seed": seed, "eval_data": BUILD / "wnut16-test.conll"})


def ours(seed: int) -> Outputs:
    """The tags' logits of each test text."""
    out = BUILD / f"wnut16-{seed}"
    shutil.rmtree(out, ignore_errors=True)
    trained = train(str(BUILD / "wnut16-train.conll"), out, settings_of(seed), Silent(), resume=True)
    return [one.tolist() for one in trained.fitted.test]


def theirs(prepared: Prepared, rows: dict[str, Rows], seed: int) -> Outputs:
    """The same from transformers' Trainer."""
    set_seed(seed)
    spec, settings, directory = prepared.spec, settings_of(seed), find_model(MODEL)
    splits = {
        name: [
            {"input_ids": piece.ids, "attention_mask": [1] * len(piece.ids), "labels": array.tolist()}
            for piece, array in zip(some.pieces, some.arrays(spec), strict=True)
        ]
        for name, some in rows.items()
    }
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="peer-tagger-"),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=BATCH_ROWS,
        per_device_eval_batch_size=BATCH_ROWS,
        learning_rate=settings.lr,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        seed=seed,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="f1",
    )
    validation = rows["validation"]

    def f1(predicted: Any) -> dict[str, float]:
        arrays = [[one[: len(piece.ids)]] for one, piece in zip(predicted.predictions, validation.pieces, strict=True)]
        return {"f1": measure.figures(spec, validation.targets, arrays, validation.readings)["f1"]}

    trainer = Trainer(
        model=AutoModelForTokenClassification.from_pretrained(directory, num_labels=len(spec.labels)),
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        data_collator=DataCollatorForTokenClassification(AutoTokenizer.from_pretrained(directory)),
        compute_metrics=f1,
    )
    resumed(trainer)
    trainer.compute_metrics = None  # it is of the validation rows, and predict would call it
    logits = trainer.predict(splits["test"]).predictions
    return [one[: len(piece.ids)].tolist() for one, piece in zip(logits, rows["test"].pieces, strict=True)]


def outputs(name: str, make: Any) -> Sequence[Sequence[np.ndarray[Any, Any]]]:
    """The outputs of an earlier run, or of a new one: of each text, those of its one piece."""
    return [[np.array(one, dtype=np.float32)] for one in saved(name, make)]


def saved(name: str, make: Any) -> Any:
    """What an earlier run made, or a new one."""
    path = BUILD / f"{name}.json"
    if not path.exists():
        print(f"running {name}", flush=True)
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


def engines(seed: int) -> Engines:
    """F1 on the hold-out and speed of one model's engines, and of a student's that learned from its training tweets."""
    bundle, student = BUILD / "wnut16-engines", BUILD / "wnut16-student"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(BUILD / f"wnut16-{seed}", bundle)
    distill(bundle, str(BUILD / "wnut16-train.conll"), student, STUDENT, Silent(), resume=True, overwrite=True)
    optimized = optimize(bundle, OptimizeSettings(student=student), lambda _: None)
    return {
        name: {
            "texts_per_s": one.speed.texts_per_s,
            "megabytes": one.megabytes,
            "value": optimized.reported[name].value,
            "difference": asdict(optimized.reported[name].difference),
        }
        for name, one in optimized.measured.items()
    }


def engine_lines(measured: Engines) -> list[str]:
    """The engines as a table."""
    lines = [
        f"Engines of seed {SEEDS[0]}, and of a student of {STUDENT.layers} layers that learned from the training "
        f"tweets for {STUDENT.epochs} epochs. F1 on the same hold-out, by which nothing was chosen; speeds side by "
        "side, on all cores.\n",
        "| engine | F1 | against fp32, points (95 % interval) | tweets/s | MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, one in measured.items():
        value, low, high = (100 * one["difference"][part] for part in ("value", "low", "high"))
        difference = "" if name == "fp32" else f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
        figures = f"{one['value']:.2%} | {difference} | {one['texts_per_s']:,.0f} | {one['megabytes']:.1f}"
        lines.append(f"| {name} | {figures} |")
    return lines


def main() -> None:
    """Run what is missing and write the page."""
    BUILD.mkdir(parents=True, exist_ok=True)
    wnut16.prepare(BUILD)
    prepared = prepare(str(BUILD / "wnut16-train.conll"), settings_of(SEEDS[0]), Silent())
    spec, test = prepared.spec, [one.target for one in prepared.test]
    lines = [
        "## Entities: WNUT-16, trained in fp32\n",
        f"Trained with {SETTINGS.epochs} epochs and a learning rate of {SETTINGS.lr:g}. Machine: {describe()}.\n",
        f"{len(test):,} test tweets (every fifth of the package's 2,394) with {sum(map(len, test))} entities of "
        f"{len(spec.names)} types. F1 of whole entities; the intervals are of the paired bootstrap over tweets.\n",
        "| seed | bertline | transformers | difference (95 % interval, p) |",
        "|---|---:|---:|---:|",
    ]
    every: list[tuple[Any, Any, Any, Any]] = []
    for seed in SEEDS:
        split = prepare(str(BUILD / "wnut16-train.conll"), settings_of(seed), Silent())
        tokenizer = Tokenizer.from_directory(find_model(MODEL))
        rows = {name: tokenise(some, tokenizer, spec, settings_of(seed)) for name, some in split.splits.items()}
        own = outputs(f"wnut16-ours-{seed}", lambda seed=seed: ours(seed))
        other = outputs(f"wnut16-trainer-{seed}", lambda rows=rows, seed=seed: theirs(prepared, rows, seed))
        readings = rows["test"].readings
        every.append((test, own, other, readings))
        lines.append(f"| {seed} | {_line(spec, *every[-1])} |")
    pooled = [[one for run in every for one in run[i]] for i in range(4)]
    lines += [
        f"| **all** | {_line(spec, *pooled)} |\n",
        *engine_lines(saved("wnut16-engines", lambda: engines(SEEDS[0]))),
    ]
    sections = json.loads(SECTIONS.read_text()) if SECTIONS.exists() else {}
    sections["wnut16"] = {"fp32": "\n".join(lines) + "\n"}
    SECTIONS.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n")
    write_page(sections)


def _line(spec: Any, truth: Any, own: Any, other: Any, readings: Any) -> str:
    found = measure.compare(spec, truth, own, other, readings)
    one = found.difference
    return (
        f"{found.value:.2%} | {found.value - one.value:.2%} | "
        f"{100 * one.value:+.2f} ({100 * one.low:+.2f} to {100 * one.high:+.2f}, p = {found.p_value:.2f})"
    )


if __name__ == "__main__":
    main()
