"""The command as one types it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bertline.bundle import load
from bertline.cli.main import main
from bertline.inference import load_predictor
from bertline.lifecycle.predictions.accuracy_checks import latest_accuracy_checks
from bertline.lifecycle.predictions.checks import latest_checks
from bertline.lifecycle.predictions.feedback import receive
from bertline.lifecycle.predictions.given import Feedback
from bertline.lifecycle.predictions.store import open_store
from bertline.tasks import task
from bertline.testing.tiny import random_texts, write_tiny_bundle
from tests.kept import keep, store_in


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True, rows=120)
    return target


def drift(bundle: Path, texts: list[str], folder: Path, *more: str) -> int:
    (folder / "new.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        patch.setattr(sys, "argv", ["bertline", "drift", str(bundle), "new.txt", *more])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


STRANGE = [*random_texts(80, seed=7), *["東京 は 大きい ."] * 20]


def test_no_drift(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(bundle, random_texts(100, seed=7), tmp_path, "--check") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith("No drift was found. 100 texts differ from 240 reference texts by no more than chance.")
    assert "Estimated accuracy without labels: " in shown.out
    assert "foreign" not in shown.out


def test_drift(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(bundle, STRANGE, tmp_path) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("The texts changed. ")
    assert "The most foreign texts:\n" in shown
    assert shown.splitlines()[-1].split(maxsplit=1)[1] == "東京 は 大きい ."


def test_drift_as_an_exit_code(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(bundle, STRANGE, tmp_path, "--check") == 1
    assert capsys.readouterr().err == "error: new.txt: The texts changed; read the report, or leave out --check\n"


def test_json_without_texts(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(bundle, STRANGE, tmp_path, "--json", "--level", "0.02", "--seed", "3") == 0
    shown = capsys.readouterr().out
    found = json.loads(shown)
    assert (found["drift"], found["level"], found["new_rows"], found["foreign"]) == ("texts", 0.02, 100, None)
    assert "東京" not in shown


def test_a_report(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drift(bundle, STRANGE, tmp_path, "--report", "out") == 0
    assert capsys.readouterr().err == "report: out/drift.html\n"
    page = (tmp_path / "out" / "drift.html").read_text(encoding="utf-8")
    assert "The texts changed." in page
    assert "東京 は 大きい ." in page
    found = json.loads((tmp_path / "out" / "drift.json").read_text(encoding="utf-8"))
    assert (found["source"], found["drift"]) == ("new.txt", "texts")


def test_a_report_that_cannot_be_written(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any work."""
    (tmp_path / "taken").write_text("a file")
    assert drift(bundle, STRANGE, tmp_path, "--report", "taken") == 1
    assert "taken" in capsys.readouterr().err


def test_answers_of_a_store_are_checked_and_the_check_is_kept(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, manifest = load_predictor(bundle), load(bundle).manifest
    answers = predictor.predict(["東京 は 大きい ."] * 40)
    recorded = [task("classify").feedback.recorded(manifest.task, one) for one in answers]
    with store_in(tmp_path) as store:
        keep(store, recorded, digest=manifest.checksum, spec=manifest.task, read_tokens=answers[0].read_tokens)
    url = f"sqlite:///{tmp_path / 'predictions.db'}"
    monkeypatch.setattr(sys, "argv", ["bertline", "drift", str(bundle), "--predictions-url", url, "--level", "0.2"])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert ended.value.code == 0
    assert "note: texts were not kept: answers and lengths are compared; bertline serve --predictions-t" in shown.err
    assert "foreign" not in shown.out
    with open_store(url) as store:
        [check] = latest_checks(store)
    assert (check.model, check.texts, check.kind != "none") == ("reviews", 40, True)
    assert check.p_values.keys() == {"answers", "properties"}
    assert check.level == 0.2


def test_a_drop_of_accuracy_by_the_feedback_of_a_store(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, manifest = load_predictor(bundle), load(bundle).manifest
    texts = random_texts(80, seed=7)
    recorded = [task("classify").feedback.recorded(manifest.task, one) for one in predictor.predict(texts)]
    with store_in(tmp_path) as store:
        keep(store, recorded, digest=manifest.checksum, spec=manifest.task, texts=texts)
        wrong = {"negative": "neutral", "neutral": "positive", "positive": "negative"}
        receive(store, [Feedback(f"r{n}", wrong[one["label"]]) for n, one in enumerate(recorded)])
    url = f"sqlite:///{tmp_path / 'predictions.db'}"
    monkeypatch.setenv("COLUMNS", "200")

    def run(*flags: str) -> int:
        monkeypatch.setattr(sys, "argv", ["bertline", "drift", str(bundle), "--predictions-url", url, *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    assert run("--check") == 1
    shown = capsys.readouterr()
    with open_store(url) as store:
        [check] = latest_accuracy_checks(store)
    assert (check.digest, check.labels, check.accuracy, check.dropped) == (manifest.checksum, 80, 0.0, True)
    assert "Accuracy on 80 labels: 0.0\u202f%; 71.0\u202f% was expected." in shown.out
    assert "Accuracy dropped: since about label 1 it is 0.0\u202f%, which could be told after" in shown.out
    assert "error: predictions of reviews: Accuracy dropped: since about label 1" in shown.err
    assert "note: the test of accuracy takes feedback for a random sample" in shown.err
    assert run("--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["drift"], found["labelled"]["labels"], found["labelled"]["since"]) == ("none", 80, 0)
