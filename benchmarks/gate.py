"""What `bertline gate` says to challengers whose fault is known, and how often it errs.

    make bench ONLY=gate

Rotten Tomatoes: 4,000 sentences train the champion, 2,000 others judge. Each challenger is really trained or altered.
Error rates are of draws of rows from two real models, whose answers are exchanged or worsened by known amounts. Writes
docs/gate.md.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import BUILD, MODEL
from bertline.bundle import load
from bertline.bundle.store import writing
from bertline.lifecycle.gate.rows import Contestant, Outputs, judge
from bertline.lifecycle.gate.run import Evidence, gate
from bertline.lifecycle.gate.scores import non_inferior
from bertline.lifecycle.gate.settings import GateSettings
from bertline.optimization.run import optimize
from bertline.optimization.settings import OptimizeSettings
from bertline.statistics.intervals import wilson
from bertline.training.progress import Silent
from bertline.training.run import train
from bertline.training.settings import TrainSettings
from examples import rotten_tomatoes
from examples.tables import write_table

PAGE = Path("docs/gate.md")
FOLDER = BUILD / "gate"
TRAINED, FROZEN = 4_000, 2_000
DRAWS, DRAWN = 500, 1_500
SLICE_WORDS = 12  # texts up to this long are the slice that one challenger is worse on
Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Bad:
    """A challenger, and what is wrong with it.

    Attributes:
        name: for people.
        made: creates the bundle and returns its directory.
        expected: what the gate should say.
        champion: directory of the bundle in use.
        data: the table that judges.
    """

    name: str
    made: Callable[[], Path]
    expected: str
    champion: Path
    data: Path


def rows() -> Rows:
    """All sentences, in an order that is random and fixed."""
    own = rotten_tomatoes.sentences()
    return [own[i] for i in np.random.default_rng(0).permutation(len(own))]


def trained(name: str, table: Rows, seed: int = 0) -> Path:
    """A model of some rows, trained once."""
    out = FOLDER / name
    if not (out / "bertline.json").exists():
        print(f"training {name}", flush=True)
        data = FOLDER / f"{name}.csv"
        write_table(data, table)
        settings = TrainSettings(model=MODEL, max_tokens=64, epochs=2, seed=seed, keep_duplicates=True)
        train(str(data), out, settings, Silent(), resume=True)
    return out


def with_temperature(base: Path, factor: float) -> Path:
    """A copy of a bundle whose probabilities are surer."""
    out, opened = FOLDER / f"{base.name}-surer", load(base)
    spec = opened.manifest.task.model_copy(update={"temperature": opened.manifest.task.temperature * factor})
    with writing(out, opened.manifest.model_copy(update={"task": spec}), overwrite=True) as staging:
        for path in opened.manifest.files:
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(base / path, staging / path)
    return out


def optimized(base: Path) -> Path:
    """A copy of a bundle with a faster engine in front."""
    out = FOLDER / f"{base.name}-optimized"
    if not (out / "bertline.json").exists():
        shutil.copytree(base, out)
        optimize(out, OptimizeSettings(), lambda text: None)
    return out


def spoiled(table: Rows, chosen: Callable[[str], bool]) -> Rows:
    """The rows, with every chosen one called negative."""
    return [(text, "negative" if chosen(text) else label) for text, label in table]


def short(text: str) -> bool:
    """Whether a text is in the slice that a challenger is worse on."""
    return len(text.split()) <= SLICE_WORDS


def challengers() -> list[Bad]:
    """Each with its champion and rows."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = rows()
    known, frozen, more = table[:TRAINED], table[TRAINED : TRAINED + FROZEN], table[TRAINED + FROZEN :]
    data, few = FOLDER / "frozen.csv", FOLDER / "hundred.csv"
    write_table(data, frozen)
    write_table(few, frozen[:100])
    champion = trained("champion", known)
    labels = np.random.default_rng(2).permutation([label for _, label in known]).tolist()
    shuffled = [(text, label) for (text, _), label in zip(known, labels, strict=True)]

    def case(name: str, made: Callable[[], Path], expected: str, against: Path = champion, judged: Path = data) -> Bad:
        return Bad(name, made, expected, against, judged)

    return [
        case("the champion itself", lambda: champion, "yes"),
        case("another seed", lambda: trained("seed-1", known, 1), "yes or undecided"),
        case("half again as many rows", lambda: trained("more", known + more[:2_000]), "yes"),
        case("labels shuffled", lambda: trained("shuffled", shuffled), "no"),
        case("trained on 1,000 rows", lambda: trained("fewer", known[:1_000]), "no"),
        case("trained on 250 rows", lambda: trained("few", known[:250]), "no"),
        case(
            f"four times the rows, texts up to {SLICE_WORDS} words all called negative; the champion has 1,000 rows",
            lambda: trained("sliced", spoiled(known, short)),
            "no",
            trained("fewer", known[:1_000]),
        ),
        case("temperature divided by six", lambda: with_temperature(champion, 1 / 6), "no"),
        case("not optimized, the champion is", lambda: champion, "no", optimized(champion)),
        case("trained on the rows that judge", lambda: trained("leaked", known + frozen), "no"),
        case("another seed, 100 rows", lambda: trained("seed-1", known, 1), "undecided", judged=few),
    ]


def judgements() -> list[str]:
    """A line of the table for each challenger."""
    lines = []
    for one in challengers():
        print(one.name, flush=True)
        found = gate(one.made(), one.champion, Evidence([str(one.data)]), GateSettings(slice_columns=()))
        compared = next(check for check in found.checks if check.name.startswith("frozen"))
        difference = compared.figures["difference"]
        points = f"{100 * difference['value']:+.1f} ({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f})"
        because = [
            f"{check.name.partition(' · ')[0]}: {check.sentence}"
            for check in found.checks
            if check.decision == found.decision != "yes"
        ]
        why = "; ".join(because)
        lines.append(f"| {one.name} | {points} | {one.expected} | **{found.decision}** | {why} |")
    return lines


def _equal_then_worse(
    outputs: tuple[Outputs, Outputs], truth: Sequence[str], worse: float, rng: np.random.Generator
) -> tuple[Outputs, Outputs]:
    """Both models' outputs exchanged row by row at random, so that neither is better, and then the first's worsened."""
    first, second = (list(one.arrays) for one in outputs)
    swap = rng.random(len(first)) < 0.5
    own = [b if s else a for a, b, s in zip(first, second, swap, strict=True)]
    other = [a if s else b for a, b, s in zip(first, second, swap, strict=True)]
    names = outputs[0].spec.names
    right = np.array([names[int(np.argmax(one[0]))] == t for one, t in zip(own, truth, strict=True)])
    for i in np.flatnonzero(right & (rng.random(len(own)) < worse / right.mean())):
        own[i] = [-np.asarray(own[i][0])]
    return replace(outputs[0], arrays=own), replace(outputs[1], arrays=other)


def rates() -> list[str]:
    """Shares of the draws in which the paired check says yes, no or neither."""
    settings = GateSettings(slice_columns=())
    pair = [Contestant.of(trained(name, [])) for name in ("champion", "seed-1")]
    judged = judge(str(FOLDER / "frozen.csv"), settings, pair[1], pair[0])
    champion, lines = judged.champion, []
    assert champion is not None, "judge was given one"
    for worse in (0.0, 0.01, 0.02, 0.04):
        counts = {"yes": 0, "no": 0, "undecided": 0}
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            # Rows are drawn first: one that is drawn twice is two rows of the population, each with its own exchange.
            places = rng.choice(len(judged.dataset.examples), DRAWN).tolist()
            examples = tuple(judged.dataset.examples[i] for i in places)
            drawn = judged.challenger.only(places), champion.only(places)
            own, other = _equal_then_worse(drawn, [str(one.target) for one in examples], worse, rng)
            dataset = replace(judged.dataset, examples=examples)
            drawn_rows = replace(judged, dataset=dataset, challenger=own, champion=other)
            counts[non_inferior(drawn_rows, settings).decision] += 1
        shares = " | ".join(_share(counts[name]) for name in ("yes", "no", "undecided"))
        lines.append(f"| {100 * worse:g} | {shares} |")
    return lines


def _share(count: int) -> str:
    one = wilson(count, DRAWS)
    return f"{100 * one.value:.1f} ({100 * one.low:.1f}–{100 * one.high:.1f})"


def page(judged: Sequence[str], errs: Sequence[str]) -> str:
    """The whole page."""
    return "\n".join([
        "# Gate, measured\n",
        "What [`bertline gate`](guide/gate.md) says to challengers whose fault is known. `make bench ONLY=gate` "
        f"measures again. all-MiniLM-L6-v2 on Rotten Tomatoes, {TRAINED:,} rows, two epochs, 64 tokens; "
        f"{FROZEN:,} other rows judge. Machine: {describe()}.\n",
        "| challenger | accuracy against the champion, points | should say | says | because of |",
        "| --- | ---: | --- | --- | --- |",
        *judged,
        "\n## How often it errs\n",
        f"The paired check on {DRAWN:,} rows, {DRAWS} draws. The answers of two models (champion, another seed) are "
        "exchanged row by row at random, so that neither is better; then a share of the challenger's right answers is "
        "made wrong. Rows are drawn with repetition. At most 2 points may be lost, so a challenger that is 2 points "
        "worse should pass in 2.5 % of draws.\n",
        "| points worse | yes, % | no, % | undecided, % |",
        "| ---: | ---: | ---: | ---: |",
        *errs,
        "",
    ])  # fmt: skip


def main() -> None:
    """Train what is missing, judge, and write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    judged = judgements()
    PAGE.write_text(page(judged, rates()), encoding="utf-8")


if __name__ == "__main__":
    main()
