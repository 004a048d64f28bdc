"""CPU inference, side by side in one run: our engines and the ones people would pick instead, on the same texts.

    make bench ONLY=engines
    make bench ONLY=engines ARGS="--only rt --repetitions 5"

Every contestant starts from the same checkpoint directory and is timed from texts to logits, tokenising included; peers
run in processes and environments of their own and choose their batches on a warm-up slice. Repetitions alternate
between the contestants in shuffled order. A set that was measured is kept in docs/engines.json with its machine until
it is measured again on a machine of that kind. Writes docs/engines.md.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.parts import bert_base, ceiling, engine_page, machine
from benchmarks.parts.engine_texts import SETS, TextSet
from benchmarks.peers.process import Peer, PeerError, PeerUnsupported, peer_kinds
from bertline.bundle import load
from bertline.inference import load_predictor
from bertline.inference.predictor import TextClassifier

RAW, PAGE = Path("docs/engines.json"), Path("docs/engines.md")
SINGLE_TEXTS, WARM_TEXTS = 48, 96
THREADS = 2

Array = np.ndarray[Any, Any]


class Contestant(Protocol):
    """Whoever turns texts into logits."""

    def bulk(self, texts: Sequence[str], name: str = "") -> tuple[float, Array]: ...

    def single(self, texts: Sequence[str]) -> list[float]: ...


class Own:
    """One of our engines, through the predictor that the command line and the service use."""

    def __init__(self, bundle: Path, engine: str) -> None:
        self.predictor: TextClassifier = load_predictor(bundle, engine=engine, lanes=THREADS)

    def bulk(self, texts: Sequence[str], name: str = "") -> tuple[float, Array]:
        began = time.perf_counter()
        logits = self.predictor.score(texts).logits
        return time.perf_counter() - began, logits

    def single(self, texts: Sequence[str]) -> list[float]:
        found = []
        for text in texts:
            began = time.perf_counter()
            self.predictor.score([text])
            found.append(1000 * (time.perf_counter() - began))
        return found


@dataclass(frozen=True)
class Row:
    """What one contestant showed on one set."""

    name: str
    title: str
    ours: bool
    exact: bool
    texts_per_s: list[float]
    p50_ms: float
    p99_ms: float
    accuracy: float
    agreement: float
    lost_points: float


def measure(chosen: TextSet, repetitions: int) -> list[Row]:
    """Every contestant on one set of texts."""
    bundle = chosen.bundle()
    texts, truth = chosen.texts(bundle)
    work = Path("build/peers/work") / chosen.key
    work.mkdir(parents=True, exist_ok=True)
    (work / "calibration.json").write_text(json.dumps(chosen.calibration(bundle)))
    with ExitStack() as stack:
        contestants: dict[str, Contestant] = {}
        titles: dict[str, tuple[str, bool, bool]] = {}
        for kind in peer_kinds():
            try:
                peer = stack.enter_context(Peer(kind.kind, bundle, work, threads=THREADS))
                print(f"  {kind.kind}: {peer.warm(chosen.key, texts[:WARM_TEXTS])['plan']}", flush=True)
            except PeerUnsupported as error:
                print(f"  {kind.kind} is left out: {error}", flush=True)
                continue
            contestants[kind.kind], titles[kind.kind] = peer, (kind.title, False, kind.is_exact)
        for name, (place, engine) in _own(chosen, bundle).items():
            contestants[f"bertline {name}"] = Own(place, engine)
            titles[f"bertline {name}"] = (f"**bertline**, {name}", True, name == "fp32")
        return _timed(chosen, contestants, titles, texts, truth, repetitions)


def _own(chosen: TextSet, bundle: Path) -> dict[str, tuple[Path, str]]:
    """Our engines by the name on the page: those of the bundle, and those of smaller students."""
    found = {one.name: (bundle, one.name) for one in load(bundle).manifest.engines}
    for called, make in chosen.others.items():
        other = make()
        names = [one.name for one in load(other).manifest.engines]
        found |= {f"{name}, {called}": (other, name) for name in names if "student" in name or name == "cascade"}
    return found


def _timed(
    chosen: TextSet,
    contestants: dict[str, Contestant],
    titles: dict[str, tuple[str, bool, bool]],
    texts: list[str],
    truth: Array,
    repetitions: int,
) -> list[Row]:
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    single: dict[str, list[float]] = {name: [] for name in contestants}
    logits: dict[str, Array] = {}
    order, rng = list(contestants), random.Random(0)
    for repetition in range(repetitions + 1):  # the first pass is thrown away: libraries prepare what they do per shape
        rng.shuffle(order)
        for name in order:
            seconds, logits[name] = contestants[name].bulk(texts, name=chosen.key)
            if repetition:
                rates[name].append(len(texts) / seconds)
                single[name] += contestants[name].single(texts[:SINGLE_TEXTS])
    reference = logits["bertline fp32"].argmax(1)
    rows = []
    for name, (title, ours, exact) in titles.items():
        label = logits[name].argmax(1)
        right = float((label == truth).mean())
        rows.append(
            Row(
                *(name, title, ours, exact, [round(one, 2) for one in rates[name]]),
                *(statistics.median(single[name]), float(np.quantile(single[name], 0.99))),
                *(right, float((label == reference).mean()), 100 * (float((reference == truth).mean()) - right)),
            )
        )
        print(f"  {name}: {statistics.median(rates[name]):.1f}/s, {rows[-1].p50_ms:.2f} ms", flush=True)
    return rows


def main() -> None:
    """Measure what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", choices=sorted(SETS))
    parser.add_argument("--no-run", action="store_true", help="only write the page, from the figures that there are")
    arguments = parser.parse_args()
    record: dict[str, Any] = json.loads(RAW.read_text()) if RAW.exists() else {}
    for key, chosen in {} if arguments.no_run else SETS.items():
        if arguments.only not in (None, key):
            continue
        print(f"{chosen.title}", flush=True)
        try:
            rows = measure(chosen, arguments.repetitions)
        except PeerError as error:
            raise SystemExit(f"a peer failed: {error}") from error
        bundle = chosen.bundle()
        record.setdefault(key, {})[machine.kind()] = {
            "machine": machine.describe(),
            "texts": len(chosen.texts(bundle)[0]),
            "rows": [asdict(row) for row in rows],
            "ceiling": ceiling.measure(bundle, chosen.texts(bundle)[0]),
            "bert_base_padded_texts_per_s": bert_base.texts_per_s(THREADS) if key == "imdb" else None,
        }
        RAW.write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(engine_page.page(record))


if __name__ == "__main__":
    main()
