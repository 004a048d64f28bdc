"""The loop: a model is served, its texts change, and its successor takes over; then a bad one tries, in vain.

    make loop
    make loop ARGS="--no-serve --rate 20"

Real processes on this machine: a server that follows the champion, clients that send texts all the time, and the
commands as one types them. SQLite files and a directory are all that they need. The report is build/loop/loop.html.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertline.destination import replace_file
from bertline.statistics.figures import percent
from examples.loop import rows
from examples.loop.page import Chapter, clock, write_page
from examples.loop.server import Server, Workshop, serving
from examples.loop.traffic import Sent, Traffic, accuracy

NAME = "reviews"
TRAINING = ("--epochs", "1", "--max-tokens", "64", "--register", NAME)
# Short steps and wide bounds, because the story is short: being sure of a point more errors takes hundreds of requests.
SHORT = ("--min-requests", "40", "--min-step-s", "3", "--watch-s", "15")
CANARY = (*SHORT, "--more-errors", "0.05", "--more-slow", "0.1")
OTHERWISE = ("--least-agreement", "0.4")  # for a model that is meant to answer otherwise, and was shown to be better


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything.

    Attributes:
        rows: of the table to train on, and of the one that judges.
        window: texts that are compared.
        labels: that make a retraining due.
        margin: points that a challenger may lose; fewer rows need more.
    """

    rows: int = 1_500
    window: int = 250
    labels: int = 500
    margin: float = 5

    @property
    def gate(self) -> tuple[object, ...]:
        """Flags of the gate; the machine is busy with the server and its clients meanwhile."""
        wide = ("--slice-margin", 3 * self.margin, "--max-slower", 1, "--max-calibration-error", 0.25)
        return ("--margin", self.margin, *wide)


SMALL = Size(rows=400, window=120, labels=250, margin=15)


class Story:
    """What happens, in order.

    Args:
        workshop: where everything goes.
        told: rows of the story.
        port: of the server.
        rate: requests per second.
        size: of it.
    """

    def __init__(self, workshop: Workshop, told: rows.Story, port: int, rate: float, size: Size) -> None:
        self._shop, self._rows, self._port, self._rate, self._size = workshop, told, port, rate, size
        self._chapters: list[Chapter] = []
        self._measured: dict[str, float | str] = {}  # what loop.json has
        self._traffic: Traffic | None = None
        self._began_s = time.monotonic()

    def play(self, *, keep: bool) -> None:
        """All of it; then the server runs on, if it is to be kept, until Ctrl+C."""
        self._first_model()
        with serving(self._shop, self._port, "--follow-every-s", "1") as server:
            with Traffic(server, self._rows.sentences, self._rate) as self._traffic:
                self._calm()
                self._changed()
                verdict, version = self._retrained()
                self._rolled_out(version, verdict)
                self._better()
                self._bad_model()
            self._audit(server)
            if keep:
                print(f"\nThe page is {server.url}, Ctrl-C stops the server", flush=True)
                server.process.wait()

    @property
    def _sent(self) -> list[Sent]:
        return self._traffic.sent if self._traffic is not None else []

    def _chapter(self, title: str) -> Chapter:
        at_s = self._traffic.now_s if self._traffic is not None else 0.0
        chapter = Chapter(title, at_s)
        self._chapters.append(chapter)
        print(f"\n== {clock(time.monotonic() - self._began_s)}  {title}", flush=True)
        return chapter

    def _say(self, chapter: Chapter, sentence: str, *figures: tuple[str, str]) -> None:
        chapter.sentences.append(sentence)
        chapter.figures.extend(figures)
        print(f"   {sentence}", flush=True)
        for name, value in figures:
            print(f"     {name}: {value}", flush=True)

    def _first_model(self) -> None:
        chapter = self._chapter("A first model learns sentences of critics, and becomes the champion")
        shop, verdict = self._shop, self._shop.directory / "first.json"
        shop.run("train", self._rows.train, "--out", shop.directory / "first", "--overwrite", *TRAINING, quiet=False)
        gate = ("gate", "models:/reviews/1", "--data", self._rows.frozen, "--minimum", "accuracy=0.6", "--out", verdict)
        shop.run(*gate, "--max-calibration-error", "0.25")
        shop.run("models", "promote", "reviews:1", "--verdict", verdict)
        shown = shop.json("models", "show", "reviews@champion")
        self._say(chapter, "reviews:1 is the champion", ("accuracy on its test rows", _figure(shown["figure"])))

    def _calm(self) -> None:
        chapter = self._chapter("Clients send sentences like those that it learned")
        assert self._traffic is not None
        before = self._traffic.wait_for(self._size.window, 0)[: self._size.window]
        found = self._drift(before, "calm")
        self._measured |= {"accuracy_before": accuracy(before), "p_before": _least(found)}
        self._say(
            chapter,
            f"{self._size.window} texts were compared with the model's reference rows: {_drift_words(found)}",
            ("accuracy of the answers", percent(accuracy(before))),
            ("smallest p-value", _p(found)),
        )

    def _changed(self) -> None:
        chapter = self._chapter("Whole reviews by anybody come in place of sentences")
        traffic = self._traffic
        assert traffic is not None
        start, size = len(traffic.sent), self._size.window
        traffic.turn_to(self._rows.reviews)
        traffic.labelling = True
        for number in (1, 2):  # the second window is what makes a retraining due
            some = traffic.wait_for(size * number, start)[size * (number - 1) : size * number]
            found = self._drift(some, f"window-{number}")
            self._measured |= {"accuracy_changed": accuracy(some), f"p_changed_{number}": _least(found)}
            self._say(
                chapter,
                f"window {number}: {_drift_words(found)}",
                (f"accuracy of the answers in window {number}", percent(accuracy(some))),
                (f"smallest p-value in window {number}", _p(found)),
            )
            looked = self._shop.json(*self._retrain(number), "--dry-run")
            if number == 1:
                self._shop.run(*self._retrain(1, labels=False))  # a look at the first window, which is not enough
            self._say(chapter, f"retraining after window {number}: {'; '.join(looked['because'] + looked['against'])}")
        chapter.links.append(("What drift found", "window-2/drift.html"))

    def _retrained(self) -> tuple[Path, int]:
        traffic = self._traffic
        assert traffic is not None
        while traffic.labelled < self._size.labels:
            time.sleep(0.5)
        chapter = self._chapter("People have labelled some, and the model is retrained")
        began_s = time.monotonic()
        result = self._shop.json(*self._retrain(2), codes=(0, 1), quiet=False)
        run = result["run"]
        if run is None or run["outcome"] != "challenger":
            raise SystemExit(f"there is no challenger: {run['sentence'] if run else result['decision']}")
        taken, judged, version = (run["done"][step] for step in ("snapshot", "gate", "register"))
        folder = self._shop.directory / "retraining" / NAME / "runs" / run["id"]
        self._measured |= {"labels": traffic.labelled, "retraining_s": time.monotonic() - began_s}
        self._say(
            chapter,
            f"{run['sentence']}",
            ("because", "; ".join(run["because"])),
            ("rows to train on", f"{taken['rows']:,}, of which {taken['added']:,} are new; {taken['fresh']} judge"),
            ("left out, because they judge", ", ".join(f"{n} {what}" for what, n in taken["left_out"].items())),
            *((one["name"], f"{one['decision']}: {one['sentence']}") for one in judged["checks"]),
            ("minutes", f"{(time.monotonic() - began_s) / 60:.1f}"),
        )
        chapter.links.append(("The gate's page", str((folder / "gate.html").relative_to(self._shop.directory))))
        return folder / "verdict.json", int(version["version"])

    def _rolled_out(self, version: int, verdict: Path) -> None:
        chapter = self._chapter("Shadow, canary, promotion: the servers decide each step")
        began_s = time.monotonic()
        promote = ("models", "promote", f"{NAME}:{version}", "--canary", "--steps", "shadow,25,50,100")
        self._shop.run(*promote, "--verdict", verdict, *CANARY, *OTHERWISE)
        ended = self._followed(chapter)
        self._measured |= {"rollout": ended["status"], "rollout_s": time.monotonic() - began_s}
        self._say(chapter, f"{NAME}:{version} was {ended['status'].replace('_', ' ')}: {ended['reason']}")
        if ended["status"] != "promoted":
            raise SystemExit("the challenger was not promoted")

    def _better(self) -> None:
        chapter = self._chapter("The new champion answers the same kind of texts")
        traffic = self._traffic
        assert traffic is not None
        some = traffic.wait_for(self._size.window, len(traffic.sent))
        self._measured["accuracy_after"] = accuracy(some)
        self._say(chapter, "its answers are compared with the true labels", ("accuracy", percent(accuracy(some))))

    def _bad_model(self) -> None:
        chapter = self._chapter("A model that learned shuffled labels is forced in, and goes back by itself")
        shop = self._shop
        shop.run("train", self._rows.wrong, "--out", shop.directory / "bad", "--overwrite", *TRAINING, quiet=False)
        version = max(int(one["version"]) for one in shop.json("models", "list", NAME))
        began_s = time.monotonic()
        promote = ("models", "promote", f"{NAME}:{version}", "--canary", "--steps", "25,50,100")
        shop.run(*promote, "--force", "a drill: somebody is sure of it", *CANARY)
        ended = self._followed(chapter)
        self._measured |= {"bad_model": ended["status"], "bad_model_s": time.monotonic() - began_s}
        self._say(
            chapter,
            f"{NAME}:{version} was {ended['status'].replace('_', ' ')}: {ended['reason']}",
            ("seconds until it was rolled back", f"{self._measured['bad_model_s']:.0f}"),
        )
        if ended["status"] != "rolled_back":
            raise SystemExit("the bad model was not rolled back")

    def _audit(self, server: Server) -> None:
        chapter = self._chapter("What is left: a log that shows every change, and nothing lost")
        traffic = self._traffic
        assert traffic is not None
        checked = self._shop.json("models", "history", "--verify")
        history = self._shop.json("models", "history", NAME)
        self._say(
            chapter,
            f"{len(traffic.sent):,} requests were answered and {len(traffic.lost)} were lost",
            ("feedback", f"{traffic.labelled:,} labels"),
            ("log of deployments", f"{checked['entries']} entries, {len(checked['faults'])} faults"),
            *(
                (
                    one["time"][11:19],
                    f"{one['action']} {one['alias']}: {one['from_version'] or '–'} → {one['to_version'] or '–'}",
                )
                for one in reversed(history)
            ),
        )
        report = self._shop.directory / "loop.html"
        minutes = (time.monotonic() - self._began_s) / 60
        summary = f"{len(self._chapters)} steps in {minutes:.1f} minutes, with real processes on one machine."
        write_page(report, self._chapters, traffic.sent, summary, server.url)
        self._measured |= {"requests": len(traffic.sent), "lost": len(traffic.lost), "minutes": minutes}
        self._measured |= {"log_entries": checked["entries"], "log_faults": len(checked["faults"])}
        replace_file(report.with_suffix(".json"), f"{json.dumps(self._measured, indent=1)}\n".encode())
        print(f"\nThe report is {report.resolve().as_uri()}", flush=True)
        if traffic.lost or checked["faults"]:
            raise SystemExit(f"{len(traffic.lost)} requests were lost, the first: {traffic.lost[:1]}")

    def _drift(self, some: list[Sent], name: str) -> dict[str, Any]:
        """Compare texts that were sent with the champion's reference rows; the finding is a file, as for a pipeline."""
        table = self._shop.directory / f"{name}.txt"
        table.write_text("".join(f"{' '.join(one.text.split())}\n" for one in some), encoding="utf-8")
        found: dict[str, Any] = self._shop.json(
            "drift", "models:/reviews@champion", table, "--report", self._shop.directory / name
        )
        return found

    def _retrain(self, window: int, *, labels: bool = True) -> tuple[object, ...]:
        drift = self._shop.directory / f"window-{window}" / "drift.json"
        due = ("--labels", self._size.labels) if labels else ()
        rows_from = ("--data", self._rows.train, "--feedback", self._shop.predictions, "--frozen", self._rows.frozen)
        place = ("--directory", self._shop.directory / "retraining", "--fresh-ratio", "0.45", "--no-shadow")
        return ("retrain", NAME, *rows_from, "--drift", drift, *due, "--start", "champion", *place, *self._size.gate)

    def _followed(self, chapter: Chapter) -> dict[str, Any]:
        """The rollout, once it has ended; each of its steps is told."""
        told: set[tuple[int, str]] = set()
        while True:
            state: dict[str, Any] = self._shop_quietly("models", "rollout", NAME)
            if (state["place"], state["status"]) not in told:
                told.add((state["place"], state["status"]))
                self._say(chapter, f"{state['step']}, {state['status'].replace('_', ' ')}: {state['reason']}")
            if state["status"] not in ("running", "paused", "watching"):
                for place, tally in sorted(state["counts"].items()):
                    chapter.figures.append((f"step {int(place) + 1}", _tally(tally)))
                return state
            time.sleep(1)

    def _shop_quietly(self, *words: str) -> dict[str, Any]:
        from contextlib import redirect_stdout
        from io import StringIO

        with redirect_stdout(StringIO()):
            found: dict[str, Any] = self._shop.json(*words)
        return found


def _tally(tally: dict[str, Any]) -> str:
    answered = f"{tally['challenger_requests']:,} requests by the challenger, {tally['challenger_errors']} failed"
    different = f"{tally['disagreed']} of {tally['compared']} differ"
    return f"{answered}, {tally['champion_requests']:,} by the champion; {different}"


def _figure(figure: dict[str, Any]) -> str:
    return f"{percent(figure['value'])} ({percent(figure['low'])} to {percent(figure['high'])})"


def _p(found: dict[str, Any]) -> str:
    return f"{_least(found):.3f}"


def _least(found: dict[str, Any]) -> float:
    return min(float(one["adjusted"]) for one in found["tests"])


def _drift_words(found: dict[str, Any]) -> str:
    words = {"texts": "the texts have changed", "labels": "the shares of the labels have changed"}
    return words.get(found["drift"], "no change was found")


def main(arguments: list[str]) -> int:
    """Play it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="loop", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--directory", type=Path, default=Path("build/loop"), help="where everything goes; emptied first"
    )
    parser.add_argument("--port", type=int, default=0, help="of the server; by default a free one")
    parser.add_argument("--rate", type=float, default=10.0, help="requests per second")
    parser.add_argument("--small", action="store_true", help="fewer rows: everything happens, and figures say little")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of rows")
    parser.add_argument("--no-serve", action="store_true", help="stop the server at the end")
    options = parser.parse_args(arguments)
    shutil.rmtree(options.directory, ignore_errors=True)
    options.directory.mkdir(parents=True)
    workshop = Workshop(options.directory.resolve())
    size = SMALL if options.small else Size()
    told = rows.prepare(workshop.directory, size.rows, options.seed)
    Story(workshop, told, options.port, options.rate, size).play(keep=not options.no_serve)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
