"""The command as one types it, with real bundles: tiny ones, whose answers make the labels of the rows."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from bertline.bundle.signing import new_key, read_public_key
from bertline.bundle.verdict import read_verdict
from bertline.bundle.verify import read_manifest
from bertline.cli.main import main
from bertline.errors import BundleError
from bertline.inference import load_predictor
from bertline.lifecycle.gate import costs
from bertline.optimization.cold_start import ColdStart
from bertline.testing.tiny import TEXTS, random_texts, write_tiny_bundle


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "champion"
    write_tiny_bundle(target, engine=True, seen=TEXTS, temperature=0.6)
    return target


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other weights, so that its answers have nothing to do with the champion's."""
    target = tmp_path_factory.mktemp("bundles") / "other"
    write_tiny_bundle(target, engine=True, seed=9, seen=TEXTS, temperature=0.6)
    return target


@pytest.fixture(scope="module")
def frozen(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 rows, of which the champion has five of six right."""
    texts = random_texts(300, seed=5)
    labels = ("negative", "neutral", "positive")
    said = [one.label for one in load_predictor(champion).predict(texts)]
    truth = [labels[(labels.index(one) + (i % 6 == 0)) % 3] for i, one in enumerate(said)]
    path = tmp_path_factory.mktemp("rows") / "frozen.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *zip(texts, truth, strict=True)])
    return path


def gate(challenger: Path, *more: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "argv", ["bertline", "gate", str(challenger), *map(str, more)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


RELAXED = ("--max-calibration-error", "1", "--max-slower", "20", "--timed-texts", "10")  # what is not the point here


def title(bundle: Path) -> str:
    return f"{bundle.name} ({read_manifest(bundle).checksum[:12]})"


@pytest.fixture
def no_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is measured in fresh processes, seconds each; one test of them is enough."""
    monkeypatch.setattr(costs, "measure_cold_start", lambda *_: ColdStart(1.0, 100.0))


def test_the_same_model_may_replace_itself(
    champion: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report, key = tmp_path / "verdict.json", tmp_path / "report", tmp_path / "gate.key"
    new_key(key)
    more = ("--out", out, "--report", report, "--key", key)
    assert gate(champion, "--champion", champion, "--data", frozen, *RELAXED, *more) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{title(champion)} may be promoted in place of {title(champion)}\n")
    assert "fp32 agrees with torch on 100.0" in shown
    verdict = read_verdict(out, [read_public_key(Path(f"{key}.pub"))])
    assert verdict.decision == "yes"
    assert verdict.challenger == verdict.champion == read_manifest(champion).checksum
    assert [one["name"].split(" · ")[0] for one in verdict.details["checks"]] == [
        *("frozen rows", "slices", "calibration", "leakage", "parity", "latency", "size")
    ]
    assert "The challenger may be promoted." in (report / "gate.html").read_text(encoding="utf-8")
    new_key(tmp_path / "other.key")
    with pytest.raises(BundleError, match="has no valid signature"):
        read_verdict(out, [read_public_key(tmp_path / "other.key.pub")])


@pytest.mark.usefixtures("no_fresh_process")
def test_a_worse_model_may_not(
    champion: Path, other: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, comparison = tmp_path / "verdict.json", tmp_path / "comparison.md"
    more = ("--out", out, "--json", "--markdown", comparison)
    assert gate(other, "--champion", champion, "--data", frozen, *RELAXED, *more) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(
        f"error: {title(other)} may not be promoted: frozen rows · {frozen}: accuracy \N{MINUS SIGN}"
    )
    printed, written = json.loads(shown.out), read_verdict(out)
    assert printed == written.model_dump(mode="json")
    assert written.decision == "no"
    head, *table = comparison.read_text(encoding="utf-8").split("\n\n")
    assert head.endswith(f"### {title(other)} may not be promoted in place of {title(champion)}")
    assert table[1].count("\n| ") == len(written.details["checks"]) + 1


@pytest.mark.usefixtures("no_fresh_process")
def test_too_few_rows_are_no_yes(
    champion: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve texts that only one of the two has right, six each."""
    texts = random_texts(300, seed=5)
    said = [[one.label for one in load_predictor(bundle).predict(texts)] for bundle in (champion, other)]
    apart = [i for i in range(300) if said[0][i] != said[1][i]][:12]
    few = tmp_path / "few.csv"
    with few.open("w", newline="") as stream:
        rows = [(texts[i], said[k % 2][i]) for k, i in enumerate(apart)]
        csv.writer(stream).writerows([("text", "label"), *rows])
    assert gate(other, "--champion", champion, "--data", few, "--out", tmp_path / "verdict.json", *RELAXED) == 1
    shown = capsys.readouterr()
    assert "cannot be judged yet" in shown.out
    assert shown.err.startswith(f"error: it cannot be decided yet: frozen rows · {few}: accuracy +0.0 points ")
    assert "; 12 rows cannot tell, about " in shown.err
    assert read_verdict(tmp_path / "verdict.json").decision == "undecided"


@pytest.mark.usefixtures("no_fresh_process")
def test_rows_that_the_challenger_has_seen(
    champion: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bertline.bundle import load
    from bertline.bundle.compose import Parts, compose

    with frozen.open(newline="") as stream:
        texts = [line[0] for line in csv.reader(stream)][1:]
    leaky = tmp_path / "leaky"
    base = load(champion)
    compose(leaky, base.manifest.model_copy(update={"name": "leaky"}), Parts(base=base, seen=texts[:30]))
    assert gate(leaky, "--champion", champion, "--data", frozen, *RELAXED) == 1
    assert capsys.readouterr().err.endswith(
        f"leakage · {frozen}: 30 of 300 texts are among those that the challenger was trained on\n"
    )


@pytest.mark.usefixtures("no_fresh_process")
def test_a_bundle_that_does_not_say_what_it_has_seen(
    champion: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent, report = tmp_path / "silent", tmp_path / "report"
    write_tiny_bundle(silent, engine=True, temperature=0.6)
    given = ("--champion", champion, "--data", frozen, *RELAXED)
    assert gate(silent, *given, "--report", report) == 1
    told = "the bundle does not say which texts it was trained on, so leaks cannot be found: train it again"
    assert capsys.readouterr().err.startswith(f"error: it cannot be decided yet: leakage · {frozen}: {told}")
    page = (report / "gate.html").read_text(encoding="utf-8")
    assert "It cannot be told yet whether the challenger may be promoted." in page
    assert f"T{told[1:]}" in page
    assert gate(silent, *given, "--max-leaked", "1") == 0


@pytest.mark.usefixtures("no_fresh_process")
def test_the_first_model_has_bounds_to_keep(champion: Path, frozen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(champion, "--data", frozen, *RELAXED) == 2
    assert capsys.readouterr().err == (
        "error: there is no champion to compare with: give --champion, or a floor such as --minimum accuracy=0.8\n"
    )
    assert gate(champion, "--data", frozen, *RELAXED, "--minimum", "accuracy=0.8") == 0
    assert "every bound is kept" in capsys.readouterr().out
    assert gate(champion, "--data", frozen, *RELAXED, "--minimum", "accuracy=0.9") == 1
    assert "accuracy is 0.8333" in capsys.readouterr().err


def test_models_of_other_labels_cannot_be_compared(
    champion: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny_bundle(tmp_path / "stars", engine=True, labels=("1", "2", "3"))
    assert gate(champion, "--champion", tmp_path / "stars", "--data", frozen) == 2
    assert "do not give the same kind of answers (classify: negative, neutral, positive; classify: 1, 2, 3)" in (
        capsys.readouterr().err
    )


def test_a_key_signs_a_file(champion: Path, frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(champion, "--champion", champion, "--data", frozen, "--key", tmp_path / "gate.key") == 2
    assert capsys.readouterr().err == "error: --key signs the file that --out names: give --out\n"
