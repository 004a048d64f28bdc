"""How faithful explanations are: ours beside attention, rollout, LIME, shap and captum, on three sets of texts.

    make bench ONLY=explanations
    python -m benchmarks.explanations --only rt --texts 30 0 0 --methods LIME "bertline, shapley"

Models are trained on few rows, and texts are of rows that were held out. All methods share out the same words, and
those that perturb get the same number of answers of the same engine. What a method found for a text is kept in
build/benchmarks, so that a stopped run goes on there. Writes docs/explanations.md.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.explained_case import Case, Counting
from benchmarks.parts.explained_models import PLANTED, SOURCES, Source, planted, planted_bundle
from benchmarks.parts.explainers import CONTESTANTS, DEFAULT, PERTURBING, RANDOM
from benchmarks.parts.machine import describe
from benchmarks.parts.tasks import BUILD
from bertline.explanation.explain import explain
from bertline.explanation.settings import ExplainSettings
from bertline.statistics.intervals import Estimate, percentile, resampled_sums

PAGE = Path("docs/explanations.md")
TEXTS = {"rt": 40, "r8": 20, "imdb": 12}  # in the order of SOURCES
BUDGETS = {"rt": 200, "r8": 200, "imdb": 200}
PLANTED_TEXTS, PLANTED_BUDGET = 100, 120
Kept = dict[str, Any]


def read(file: Path) -> Kept:
    """What is kept of earlier runs."""
    found: Kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def keep(file: Path, kept: Kept) -> None:
    """Write it, so that a stopped run leaves a whole file."""
    file.with_suffix(".new").write_text(json.dumps(kept), encoding="utf-8")
    file.with_suffix(".new").replace(file)


def measure(source: Source, number: int, methods: Sequence[str]) -> Kept:
    """What each method found for each text: comprehensiveness, sufficiency, seconds and answers."""
    file, budget = BUILD / f"explanations-{source.key}.json", BUDGETS[source.key]
    kept, model = read(file), Counting(source.bundle())
    for text in source.texts(number):
        own = kept.setdefault(text, {})
        missing = [name for name in methods if name not in own]
        case = Case(model, text) if missing else None
        for name in missing:
            assert case is not None
            own[name] = run(case, name, budget)
            keep(file, kept)
            print(source.key, len(case.words), name, own[name], flush=True)
    return {text: kept[text] for text in source.texts(number)}


def run(case: Case, name: str, budget: int) -> dict[str, float] | None:
    """One method on one text; None where the budget does not suffice for its words."""
    before, began = case.model.answers, time.perf_counter()
    try:
        shares = CONTESTANTS[name](case, budget)
    except ValueError as error:
        if "too low" not in str(error):
            raise
        return None
    seconds, answers = time.perf_counter() - began, case.model.answers - before
    found = case.faithfulness(shares)
    return {
        "comprehensiveness": found.comprehensiveness,
        "sufficiency": found.sufficiency,
        "seconds": seconds,
        "answers": answers,
    }


def find_planted(number: int) -> dict[str, Any]:
    """How often the planted word has the largest share, and whether a second call says the same."""
    file = BUILD / "explanations-planted.json"
    kept, model, rng = read(file), Counting(planted_bundle()), random.Random(1)
    settings = ExplainSettings(budget=PLANTED_BUDGET, skip_faithfulness=True)
    texts = [planted(text, rng) for text in SOURCES["rt"].texts(number)]
    for place, text in enumerate(texts):
        if text in kept:
            continue
        found = explain(model, text, settings, "positive")
        (first,) = found.top(1)
        again = place >= 10 or explain(model, text, settings, "positive") == found
        kept[text] = {"first": first.word.text == PLANTED and first.share > 0, "same": again, "shown": found.shown}
        keep(file, kept)
    some = [kept[text] for text in texts]
    return {
        "texts": len(some),
        "first": sum(one["first"] for one in some),
        "positive": sum(one["shown"] > 0.5 for one in some),
        "same": all(one["same"] for one in some),
    }


def table(kept: Kept) -> list[str]:
    """The rows of one set's table, the most comprehensive first."""
    rows = []
    for name in CONTESTANTS:
        pairs = [(one[DEFAULT], one[name]) for one in kept.values() if one.get(name) and one.get(DEFAULT)]
        if not pairs:
            continue
        mean = {key: float(np.mean([other[key] for _, other in pairs])) for key in pairs[0][1]}
        gain = "" if name == DEFAULT else shown(difference(pairs, "comprehensiveness"))
        cells = [
            f"**{name}**" if name == DEFAULT else name,
            f"{len(pairs)}",
            f"{mean['comprehensiveness']:.3f}",
            gain,
            f"{mean['sufficiency']:+.3f}".replace("-", "−"),
            f"{mean['answers']:.0f}" if name in PERTURBING and mean["answers"] else "",
            f"{mean['seconds']:.2f}",
        ]
        rows.append((mean["comprehensiveness"], f"| {' | '.join(cells)} |"))
    return [row for _, row in sorted(rows, reverse=True)]


def difference(pairs: Sequence[tuple[dict[str, float], dict[str, float]]], key: str) -> Estimate:
    """The mean of the first minus the second, with the bootstrap's 95 % interval over texts."""
    values = np.array([own[key] - other[key] for own, other in pairs])
    resampled = resampled_sums(values[:, None], seed=0)[:, 0] / len(values)
    return percentile(float(values.mean()), resampled)


def shown(one: Estimate) -> str:
    """An estimate with its interval."""
    return f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})".replace("-", "−")


def section(source: Source, kept: Kept) -> list[str]:
    """The part of the page for one set of texts."""
    default = float(np.mean([one[DEFAULT]["comprehensiveness"] for one in kept.values()]))
    chance = float(np.mean([one[RANDOM]["comprehensiveness"] for one in kept.values()]))
    low, high = source.words
    rows, times = source.rows, "once" if source.epochs == 1 else f"{source.epochs} times"
    return [
        f"## {source.title}",
        "",
        f"{len(kept)} held-out texts of {low} to {high} words, {BUDGETS[source.key]} answers each; the model learned "
        f"{rows:,} rows, {times}. The default's comprehensiveness is {default:.3f}, a random order's {chance:.3f}.",
        "",
        "| method | texts | comprehensiveness | default minus this (95 %) | sufficiency | answers | s a text |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: |",
        *table(kept),
        "",
    ]


def page(sections: Sequence[str], found: dict[str, Any]) -> str:
    """The whole page."""
    peers = ", ".join(f"{name} {version(name)}" for name in ("lime", "shap", "captum"))
    return "\n".join(
        [
            "# Explanations",
            "",
            f"Measured on {date.today()} with `make bench ONLY=explanations`, {describe()}, {peers}.",
            "",
            "Comprehensiveness is how far the probability falls when the words with the largest shares go (high is "
            "good); sufficiency is how far it falls when only they stay (low is good). Both are means over the top 1, "
            "5, 10, 20 and 50 % of the words, deleted and masked (DeYoung et al. 2020). Intervals are of the paired "
            "difference over the same texts. Methods that perturb use the bundle's fp32 engine on one thread, with "
            "the same number of answers, or fewer where they need no more; those of captum and of attention use "
            "PyTorch. A method that cannot keep to the budget for a text is left out there.",
            "",
            *sections,
            "## Exactness",
            "",
            "Base and shares add up to the answer within 1e-6 in every explanation above by linear, shapley and "
            "partition: the benchmark stops otherwise. The same call gave "
            f"{'the same answer' if found['same'] else 'another answer'} again for the first ten texts "
            "below. A model learned that texts with the "
            f"made-up word {PLANTED} are favourable. It is the first cause of {found['first']} of {found['texts']} "
            f"held-out texts into which it was put, at {PLANTED_BUDGET} answers each; the model calls "
            f"{found['positive']} of them favourable.",
            "",
        ]
    )


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SOURCES, help="one set of texts; its part of the page is printed")
    parser.add_argument("--texts", type=int, nargs=3, default=[*TEXTS.values()], help="of rt, r8 and imdb; 0: none")
    parser.add_argument("--planted", type=int, default=PLANTED_TEXTS, help="texts with the planted word")
    parser.add_argument("--methods", nargs="+", choices=CONTESTANTS, default=[*CONTESTANTS], metavar="METHOD")
    given = parser.parse_args()
    sections = []
    for (key, source), number in zip(SOURCES.items(), given.texts, strict=True):
        if number and given.only in (None, key):
            sections += section(source, measure(source, number, given.methods))
    if given.only is None:
        PAGE.write_text(page(sections, find_planted(given.planted)), encoding="utf-8")
    print("\n".join(sections))


if __name__ == "__main__":
    main()
