"""Few-shot training: 8 texts per label of R8 and Rotten Tomatoes, beside a frozen encoder and SetFit.

    python -m benchmarks.few_shot [--draws 10] [--only r8] [--test-rows 500] [--no-peer]

The draws are of the training rows. All contestants learn the same draws and answer the same test rows: of R8 the
official test split, of Rotten Tomatoes every eighth row, both a fixed sample. Seconds are of all of ``train``,
cross-validation and the bundle included, and of SetFit's ``Trainer.train``; they alternate, each with one thread.
Answers are written to build/benchmarks as they come, and a run that was stopped goes on there. Writes docs/few-shot.md.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import BUILD, EVERY, MODEL
from benchmarks.peers.environments import make
from bertline.encoder.source import find_model
from bertline.inference import load_predictor
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import reuters, rotten_tomatoes
from examples.tables import write_table

EACH = 8  # texts of a label
PAGE = Path("docs/few-shot.md")
NAMES = {"rotten-tomatoes": "Rotten Tomatoes, 2 labels", "r8": "Reuters R8, 8 topics"}
# SetFit's default draws the rarer kind of pair again and again: on R8 it takes seven times as many steps.
SAMPLING = {"rotten-tomatoes": "oversampling", "r8": "undersampling"}
Row = tuple[str, str]


def data(name: str, test_rows: int) -> tuple[list[Row], list[Row]]:
    """The rows to draw from, and the test rows."""
    if name == "r8":
        rows, test = [*reuters.stories("train")], [*reuters.stories("test")]
    else:
        every = [*rotten_tomatoes.sentences()]
        rows = [row for i, row in enumerate(every) if i % EVERY != EVERY - 1]
        test = [row for i, row in enumerate(every) if i % EVERY == EVERY - 1]
    return rows, random.Random(test_rows).sample(test, min(test_rows, len(test)))


def draw(rows: Sequence[Row], seed: int) -> list[Row]:
    """So many rows of each label."""
    rng = random.Random(seed)
    labels = sorted({label for _, label in rows})
    return [row for label in labels for row in rng.sample([one for one in rows if one[1] == label], EACH)]


def ours(name: str, number: int, shots: Sequence[Row], test: Sequence[Row]) -> dict[str, Any]:
    """Answers of the few-shot model."""
    table, out = BUILD / f"few-{name}-{number}.csv", BUILD / f"few-{name}-{number}"
    write_table(table, shots)
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    train(str(table), out, TrainSettings(model=MODEL, few_shot=True, seed=number), Silent())
    seconds = time.perf_counter() - began
    predictor = load_predictor(out)
    answers = [one.label for one in predictor.predict([text for text, _ in test])]
    figures: Any = predictor.metrics
    shutil.rmtree(out)
    estimated = figures["accuracy"]["value"]
    return {"answers": answers, "seconds": seconds, "chosen": figures["few_shot"]["chosen"], "estimated": estimated}


def setfit(name: str, number: int, shots: Sequence[Row], test: Sequence[Row]) -> dict[str, Any]:
    """Answers of SetFit."""
    draws, out = BUILD / f"setfit-{name}-draw.json", BUILD / f"setfit-{name}.json"
    content = {"draws": {number: shots}, "test": [text for text, _ in test], "sampling": SAMPLING[name]}
    draws.write_text(json.dumps(content))
    command = [str(make("setfit")), "benchmarks/peers/setfit_draws.py", str(draws), str(find_model(MODEL)), str(out)]
    subprocess.run(command, check=True)
    answer: dict[str, Any] = json.loads(out.read_text())[0]
    return answer


class Frozen:
    """Logistic regression, as scikit-learn fits it by default, on normalised embeddings of the checkpoint."""

    def __init__(self, test: Sequence[Row]) -> None:
        self.test = test

    @cached_property
    def tested(self) -> np.ndarray[Any, Any]:
        """Embeddings of the test rows; of no use where an earlier run has all answers."""
        return embeddings([text for text, _ in self.test])

    def answer(self, name: str, number: int, shots: Sequence[Row], test: Sequence[Row]) -> dict[str, Any]:
        """Answers after a draw."""
        from sklearn.linear_model import LogisticRegression

        began = time.perf_counter()
        head = LogisticRegression(max_iter=1000).fit(
            embeddings([text for text, _ in shots]), [label for _, label in shots]
        )
        return {"answers": head.predict(self.tested).tolist(), "seconds": time.perf_counter() - began}


def embeddings(texts: list[str]) -> np.ndarray[Any, Any]:
    """Mean of the tokens' states, normalised, [texts, hidden]."""
    from bertline.encoder.agreement import load_tokenizer
    from bertline.encoder.checkpoint import load_pretrained
    from bertline.text import Reader, Truncation
    from bertline.training.device import place
    from bertline.training.head_start import head_features
    from bertline.training.rows import Rows

    directory, settings = find_model(MODEL), TrainSettings(model=MODEL)
    tokenizer = load_tokenizer(directory, bundle=False)
    readings = Reader(tokenizer, Truncation(settings.max_tokens, settings.truncation)).read(texts)
    classifier = load_pretrained(directory, labels=2, pooling="normalised")
    return head_features(classifier, Rows(readings, [], [], tokenizer.pad_id), place(settings)).numpy()


def interval(differences: Sequence[float]) -> str:
    """Mean difference of the draws in points, with the 95 % interval of Student's t."""
    from scipy.stats import t

    values = 100 * np.array(differences)
    if len(values) < 2:
        return f"{values.mean():+.1f}"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.1f} ({values.mean() - half:+.1f} to {values.mean() + half:+.1f})"


def measure(name: str, draws: int, test_rows: int, peer: bool) -> list[dict[str, Any]]:
    """For each draw, the answers of each contestant; those of an earlier run are read."""
    rows, test = data(name, test_rows)
    file = BUILD / f"few-shot-{name}-{test_rows}.json"
    results: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    contestants: dict[str, Any] = {"bertline": ours, "frozen": Frozen(test).answer}
    if peer:
        contestants["setfit"] = setfit
    for number in range(draws):
        if number == len(results):
            results.append({})
        for contestant, answer in contestants.items():
            if contestant not in results[number]:
                one = answer(name, number, draw(rows, number), test)
                one["accuracy"] = float(np.mean([a == b for a, (_, b) in zip(one["answers"], test, strict=True)]))
                results[number][contestant] = one
                shown = {key: value for key, value in one.items() if key != "answers"}
                print(name, number, contestant, shown, flush=True)
                file.write_text(json.dumps(results))
    return results[:draws]


def lines(name: str, results: Sequence[dict[str, Any]]) -> list[str]:
    """The rows of the table for one data set."""
    own = [one["bertline"] for one in results]
    tuned = sum(one["chosen"] == "fine-tuned" for one in own)
    names = {
        "bertline": f"`train --few-shot`, fine-tuned in {tuned} of {len(own)} draws",
        "frozen": "frozen encoder, logistic regression",
        "setfit": f"SetFit, {SAMPLING[name]}",
    }
    out = []
    for contestant, title in names.items():
        some = [one[contestant] for one in results if contestant in one]
        if not some:
            continue
        pairs = zip(own, some, strict=False)
        gain = "" if contestant == "bertline" else interval([a["accuracy"] - b["accuracy"] for a, b in pairs])
        accuracy, seconds = (float(np.mean([one[key] for one in some])) for key in ("accuracy", "seconds"))
        first = NAMES[name] if contestant == "bertline" else ""
        out.append(f"| {first} | {title} | {len(some)} | {accuracy:.1%} | {gain} | {seconds:.0f} |")
    return out


def page(table: Sequence[str], test_rows: int) -> str:
    """The page with the rows of its table."""
    text = [
        "# Few-shot training",
        "",
        f"{EACH} texts per label, drawn from the training rows; {test_rows} test rows; `{MODEL}`, one thread. "
        f"Measured on {date.today()} with `make bench ONLY=few_shot`, {describe()}.",
        "",
        "| data | model | draws | accuracy | `train --few-shot` minus this, points (95 %) | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
        *table,
        "",
        "Intervals are of the paired differences over the draws that both have; a stopped run has fewer. "
        "Seconds of `train --few-shot` contain its cross-validation, its calibration and the bundle. Those of the "
        "frozen encoder contain its embeddings of the draw.",
        "",
    ]
    return "\n".join(text)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--no-peer", action="store_true")
    chosen = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    table = [
        line
        for name in ([chosen.only] if chosen.only else NAMES)
        for line in lines(name, measure(name, chosen.draws, chosen.test_rows, not chosen.no_peer))
    ]
    text = page(table, chosen.test_rows)
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
