"""The demo: film reviews in, a page that tells praise from complaint out.

    make demo
    make demo ARGS="--rows 2000 --epochs 1"

Four steps: a table of 8,530 labelled sentences, a model fine-tuned on it, engines for the model that are measured on
this machine, and the fastest one behind a web page.
What is there already is not made again, so the second start takes seconds; an interrupted training goes on
where it was. Flags that are not the demo's own go to ``bertline train``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from bertline import __version__
from examples import rotten_tomatoes

BERTLINE = str(Path(sys.executable).with_name("bertline"))


def main(arguments: list[str]) -> int:
    """Run the demo; returns the exit code of the step that failed, or of the server."""
    options, train_flags = parse(arguments)
    table = options.directory / "rotten-tomatoes.csv"
    count = rotten_tomatoes.prepare(table, options.rows)
    say(f"1 of 4  data: {count:,} sentences from film reviews in {table}")

    bundle = options.directory / "reviews"
    code = train(table, bundle, ["--model", "all-MiniLM-L6-v2", *train_flags])
    code = code or optimize(bundle)
    if code or options.no_serve:
        return code

    say("4 of 4  service: the page opens at the address below; Ctrl-C stops it")
    # Explanations may quote the rows that the bundle carries: these are public.
    os.execv(BERTLINE, [BERTLINE, "serve", str(bundle), "--nearest-texts"])


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The demo's own options, and the rest."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--directory", type=Path, default=Path("build/demo"), help="where everything goes")
    parser.add_argument("--rows", type=int, help="only this many sentences, for a quick look")
    parser.add_argument("--no-serve", action="store_true", help="stop when the model is there")
    return parser.parse_known_args(arguments)


def train(table: Path, bundle: Path, flags: list[str]) -> int:
    """Fine-tune unless ``bundle`` was made from the same table, flags and version; returns the exit code."""
    record = bundle.with_name("made-from.json")
    wanted = {
        "bertline": __version__,
        "table": hashlib.sha256(table.read_bytes()).hexdigest(),
        "flags": flags,
    }
    same = record.is_file() and json.loads(record.read_text(encoding="utf-8")) == wanted
    if same and (bundle / "bertline.json").is_file():
        say(f"2 of 4  model: {bundle} is there already, made from the same data and settings")
        return 0
    say("2 of 4  model: fine-tuning all-MiniLM-L6-v2, then measuring it on sentences it has not seen")
    record.write_text(json.dumps(wanted), encoding="utf-8")
    command = [BERTLINE, "train", str(table), "--out", str(bundle), "--resume" if same else "--overwrite"]
    return subprocess.run([*command, *flags], check=False).returncode


def optimize(bundle: Path) -> int:
    """Try engines unless that was done; returns the exit code."""
    engines = json.loads((bundle / "bertline.json").read_text(encoding="utf-8"))["engines"]
    if engines and engines[0].get("measured"):  # fp32 alone, where no other one was good enough
        say(f"3 of 4  engines: measured already, {engines[0]['name']} answers")
        return 0
    say("3 of 4  engines: trying smaller and faster forms of the model, and measuring them here")
    return subprocess.run([BERTLINE, "optimize", str(bundle)], check=False).returncode


def say(text: str) -> None:
    """A line that stands out from the output of the steps."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
