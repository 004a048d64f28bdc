"""The whole verb on a tiny bundle: what is written, and that nothing is harmed where it stops."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bertline.bundle import Manifest, load, writing
from bertline.bundle.probes import ATTENTIONS, EMBEDDING, TOLERANCE, Probes, read_probes
from bertline.bundle.reference import read_token_counts
from bertline.bundle.tree import sha256
from bertline.errors import BundleError
from bertline.inference import load_predictor
from bertline.machine.instructions import processor
from bertline.optimization import publish, run
from bertline.optimization.estimate import Extent, Pieces
from bertline.optimization.outcome import Optimized
from bertline.optimization.run import optimize, plan
from bertline.optimization.settings import OptimizeSettings
from bertline.optimization.vocabulary import PrunedVocabulary, prune
from bertline.testing.tiny import TEXTS, random_texts, write_tiny_bundle
from tests.unit.optimization.conftest import ROWS

pytestmark = pytest.mark.usefixtures("no_cold_starts")

QUICK = {"repetitions": 1, "speed_rows": 16}
# So slow that opening the bundle is nothing beside it.
PIECES = Pieces(
    100.0, 10.0, row={"fp32": 40.0, "int8": 20.0}, alone={"fp32": 30.0, "int8": 15.0}, start=50.0, products=7
)
FIGURES = {
    *("accuracy", "accuracy_difference", "p_value", "agreement", "texts_per_s", "p50_ms", "p99_ms", "megabytes"),
    *("memory_mb", "start_s", "note", "processor", "test_accuracy", "test_difference"),
}
MADE = {"README.md", "engines/probes.json"}  # files that a run may write again


@dataclass(frozen=True)
class Done:
    directory: Path
    before: Manifest
    found: Optimized
    told: list[str]

    @property
    def after(self) -> Manifest:
        return load(self.directory).manifest


@pytest.fixture(scope="module")
def done(original: Path, student: Path, tmp_path_factory: pytest.TempPathFactory, no_cold_starts: None) -> Done:
    """One run in which every engine may be used, so that every one is written."""
    folder = tmp_path_factory.mktemp("optimized")
    shutil.copytree(original, folder / "tiny")
    (folder / "more.txt").write_text("\n".join(random_texts(12, seed=9)))
    settings = OptimizeSettings(
        goal="size", max_accuracy_drop=100, student=student, unlabelled=(str(folder / "more.txt"),), **QUICK
    )
    told: list[str] = []
    before = load(folder / "tiny").manifest
    found = optimize(folder / "tiny", settings, told.append)
    return Done(folder / "tiny", before, found, told)


def contents(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): sha256(path) for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "alone" / "tiny")
    return tmp_path / "alone" / "tiny"


# --------------------------------------------------------------------------------------------- what is written


def test_every_engine_is_written_and_the_picked_one_is_first(done: Done) -> None:
    names = [one.name for one in done.after.engines]
    assert names[0] == done.found.picked
    assert set(names) == set(done.found.measured)
    assert {"fp32", "int8", "small", "student-fp32", "student-int8", "student-small", "cascade"} <= set(names)
    sizes = {name: one.megabytes for name, one in done.found.measured.items()}
    assert sizes[done.found.picked] == min(sizes.values()), "the goal was size"


def test_the_picked_engine_answers(done: Done) -> None:
    predictor = load_predictor(done.directory)
    assert predictor.engine == done.found.picked
    assert len(predictor.predict(TEXTS)) == len(TEXTS)


def test_every_engine_can_be_asked_for_and_passes_its_probes(done: Done) -> None:
    probes = read_probes(done.directory)
    assert probes.logits.keys() == {"full", "student"}
    for one in done.after.engines:
        assert load_predictor(done.directory, engine=one.name).engine == one.name
    full = load_predictor(done.directory, engine="torch").score(probes.texts).logits
    np.testing.assert_allclose(probes.logits["full"], full, atol=1e-5)


def test_the_student_speaks_at_the_bundles_temperature(done: Done, student: Path) -> None:
    own = load_predictor(student, engine="torch").predict(TEXTS)
    here = load_predictor(done.directory, engine="student-fp32").predict(TEXTS)
    for one, other in zip(own, here, strict=True):
        assert list(other.probabilities.values()) == pytest.approx(list(one.probabilities.values()), abs=1e-5)


def test_every_engine_has_its_figures(done: Done) -> None:
    for one in done.after.engines:
        assert one.measured.keys() == FIGURES
        assert one.measured["memory_mb"] == 42
        assert 0 <= one.measured["accuracy"] <= 1  # type: ignore[operator]
    fp32 = next(one for one in done.after.engines if one.name == "fp32").measured
    assert (fp32["accuracy"], fp32["test_accuracy"], fp32["agreement"]) == (0.75, 0.75, 1.0)


def test_unlabelled_texts_tell_how_often_engines_agree(done: Done) -> None:
    assert done.found.agreement.keys() == done.found.measured.keys()
    assert done.found.agreement["fp32"] == 1.0
    assert done.found.agreement["student-fp32"] < 1.0


def test_existing_output_is_unchanged(done: Done) -> None:
    before, after = done.before, done.after
    kept = before.files.keys() - MADE
    assert {"config.json", "model.safetensors", "model.onnx", "vocab.txt", "reference/test.jsonl"} <= kept
    assert {name: after.files[name] for name in kept} == {name: before.files[name] for name in kept}
    changed = {"engines", "files", "checksum"}
    assert before.model_dump(exclude=changed) == after.model_dump(exclude=changed)


def test_the_bundle_has_exactly_one_file_per_engine(done: Done) -> None:
    files = {name for name in done.after.files if name.endswith(".onnx")}
    assert files == {one.file for one in done.after.engines if one.file} | {EMBEDDING, ATTENTIONS}


def test_nothing_is_left_next_to_the_bundle(done: Done) -> None:
    assert {path.name for path in done.directory.parent.iterdir()} == {"tiny", "more.txt"}


def test_it_describes_its_work(done: Done) -> None:
    assert done.told[0].startswith("Building engines")
    assert re.fullmatch(r"Measuring \d+ engines side by side, 1 repetitions", done.told[-1])


def test_every_speed_names_its_machine(done: Done) -> None:
    """M3: in the report, in the manifest and in the model card; the terminal: tests/unit/cli/test_optimize.py."""
    named = done.found.processor
    assert named.startswith(f"{processor()}, ")
    assert named.endswith(" cores")
    assert json.loads((done.directory / "report" / "engines.json").read_text())["processor"] == named
    assert {one.measured["processor"] for one in done.after.engines} == {named}
    page = Page((done.directory / "report" / "engines.html").read_text(encoding="utf-8"))
    assert f"Speed was measured on {named}; the answers are the same on every processor." in page.text
    card = html.unescape((done.directory / "README.md").read_text(encoding="utf-8"))
    assert f"Speed is of {named}; accuracy is of the test rows." in card


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "xlink:href")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_has_every_engine_and_loads_nothing_from_elsewhere(done: Done) -> None:
    raw = (done.directory / "report" / "engines.html").read_text(encoding="utf-8")
    page = Page(raw)
    assert page.open == []
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert not re.search(r"https?://(?!www\.w3\.org/)|url\(|@import", raw)
    for name, candidate in done.found.candidates.items():
        assert page.text.count(name) >= 2, "in the picture and in the table"
        assert candidate.note in page.text
    assert f"{done.found.picked} · picked" in page.text
    assert "-0.00" not in page.text, "fp32 loses nothing"


def test_the_report_as_json_says_the_same(done: Done) -> None:
    record = json.loads((done.directory / "report" / "engines.json").read_text())
    assert (record["picked"], record["goal"], record["max_accuracy_drop_points"]) == (done.found.picked, "size", 100)
    assert [name for name, one in record["engines"].items() if one["picked"]] == [done.found.picked]
    assert {name for name, one in record["engines"].items() if one["on_frontier"]} == done.found.frontier
    for name, one in record["engines"].items():
        assert one["unlabelled_agreement"] == done.found.agreement[name]
        assert one["test_drop_points"] == done.found.reported[name].drop_points


def test_a_run_replaces_the_engines_of_the_last_one(done: Done, tmp_path: Path) -> None:
    shutil.copytree(done.directory, tmp_path / "tiny")
    optimize(tmp_path / "tiny", OptimizeSettings(max_accuracy_drop=0, **QUICK), lambda _: None)
    after = load(tmp_path / "tiny").manifest
    assert not [one.name for one in after.engines if "student" in one.name or one.name == "cascade"]
    assert not [name for name in after.files if "student" in name]
    assert "fp32" in [one.name for one in after.engines]


def test_engines_that_lose_more_than_allowed_are_reported_but_not_shipped(copy: Path, student: Path) -> None:
    found = optimize(copy, OptimizeSettings(max_accuracy_drop=5, student=student, **QUICK), lambda _: None)
    shipped = [one.name for one in load(copy).manifest.engines]
    assert found.measured["student-fp32"].quality.drop_points > 5
    assert "student-fp32" not in shipped
    assert "student-fp32" in json.loads((copy / "report" / "engines.json").read_text())["engines"]


def test_an_engine_that_the_loader_refuses_is_reported_and_neither_picked_nor_written(
    copy: Path, student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T7: one rule for picking and loading. int8 would be picked, its answers count as too far away."""
    monkeypatch.setitem(TOLERANCE, "int8", 1e-9)
    settings = OptimizeSettings(max_accuracy_drop=100, goal="size", student=student, **QUICK)
    found = optimize(copy, settings, lambda _: None)
    eight = {name for name, one in found.candidates.items() if one.engine.precision == "int8"}
    assert found.refused == eight
    assert {"int8", "small", "student-int8", "cascade"} <= eight
    assert found.picked in {"fp32", "student-fp32"}
    assert found.frontier <= {"fp32", "student-fp32"}
    assert {one.name for one in load(copy).manifest.engines} == {"fp32", "student-fp32"}
    assert load_predictor(copy).engine == found.picked
    record = json.loads((copy / "report" / "engines.json").read_text())["engines"]
    assert re.fullmatch(
        r"cannot be used: its logits of the probe texts are off by .*% of their spread, and 0\.0.% is allowed for int8",
        record["int8"]["note"],
    )
    assert record["cascade"]["note"].endswith(
        f"; cannot be used: its part {found.candidates['cascade'].engine.parts[0]} cannot"
    )


def test_a_bundle_whose_own_engine_is_wrong_is_refused(copy: Path) -> None:
    """T7: everything is compared with it, so nothing may be picked by it."""
    probes = read_probes(copy)
    bundle = load(copy)
    with writing(copy, bundle.manifest, overwrite=True) as staging:
        shutil.copytree(bundle.path, staging, dirs_exist_ok=True)
        Probes(probes.texts, {"full": -probes.logits["full"]}).write(staging)
    message = r"the engine fp32 of .*tiny cannot be used: its logits of the probe texts are off by .*: train it again"
    with pytest.raises(BundleError, match=message):
        optimize(copy, OptimizeSettings(**QUICK), lambda _: None)


def test_few_rows_bring_a_caveat(copy: Path) -> None:
    found = optimize(copy, OptimizeSettings(**QUICK), lambda _: None)
    assert len(found.caveats) == 1
    assert found.caveats[0].startswith(f"with {ROWS} rows a drop of 0.5 points is not significant")
    assert "is not significant" in (copy / "report" / "engines.html").read_text()


def test_the_rows_that_choose_an_engine_do_not_choose_its_tokens(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else ``small`` would have every token of the rows that it is judged by, as it has not of any others."""
    counted: list[Counter[int]] = []

    def pruned(table: Any, counts: Counter[int], always: Iterable[int], rows: int) -> PrunedVocabulary:
        counted.append(Counter(counts))
        return prune(table, counts, always, rows)

    monkeypatch.setattr(run, "prune", pruned)
    more = tmp_path / "more.txt"
    more.write_text("\n".join(random_texts(3, seed=9)))
    for unlabelled in ((), (str(more),)):
        run.Bench(load(copy), OptimizeSettings(**QUICK, unlabelled=unlabelled), tmp_path, lambda _: None)
    assert counted[0] == read_token_counts(copy)
    assert counted[1].total() > counted[0].total()


# ------------------------------------------------------------------------------------------- what is refused


def test_without_held_out_rows_the_error_explains_how_to_get_them(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", engine=True)
    message = r"tiny carries no held-out rows to measure on \(reference/\): train it again, with --reference-rows above"
    with pytest.raises(BundleError, match=message):
        optimize(tmp_path / "tiny", OptimizeSettings(**QUICK), lambda _: None)


def test_without_the_fp32_engine_it_says_to_train_again(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "tiny", rows=ROWS)
    with pytest.raises(BundleError, match=r"tiny has no model\.onnx: train it again with this version of bertline"):
        optimize(tmp_path / "tiny", OptimizeSettings(**QUICK), lambda _: None)


def test_a_student_with_another_vocabulary_is_refused(copy: Path, student: Path, tmp_path: Path) -> None:
    with writing(tmp_path / "other", load(student).manifest) as staging:
        shutil.copytree(student, staging, dirs_exist_ok=True)
        (staging / "vocab.txt").write_text((student / "vocab.txt").read_text().replace("##a\n", "##é\n"))
    with pytest.raises(BundleError, match=r"other has another vocabulary than .*tiny: distill it from this bundle"):
        optimize(copy, OptimizeSettings(student=tmp_path / "other", **QUICK), lambda _: None)


@pytest.mark.parametrize(("name", "value"), [("labels", ("no", "maybe", "yes")), ("max_tokens", 16)])
def test_a_student_of_another_task_is_refused(copy: Path, tmp_path: Path, name: str, value: object) -> None:
    write_tiny_bundle(tmp_path / "other", **{name: value})
    with pytest.raises(BundleError, match=rf"other has other {name} than .*tiny: distill it from this bundle"):
        optimize(copy, OptimizeSettings(student=tmp_path / "other", **QUICK), lambda _: None)


def test_a_bundle_that_could_not_be_replaced_is_refused_before_the_work(copy: Path) -> None:
    (copy / ".git").mkdir()
    (copy / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    told: list[str] = []
    with pytest.raises(BundleError, match=r"holds \.git/HEAD, which is no part of the bundle there and would be lost"):
        optimize(copy, OptimizeSettings(**QUICK), told.append)
    assert told == []


@pytest.mark.parametrize(("module", "step"), [(run, "speeds"), (publish, "write_report")])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_stops_leaves_the_bundle_as_it_was(
    copy: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str, error: type[BaseException]
) -> None:
    before = contents(copy)

    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, step, stop)
    with pytest.raises(error):
        optimize(copy, OptimizeSettings(**QUICK), lambda _: None)
    assert contents(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["tiny"]
    assert load_predictor(copy).engine == "fp32"


def test_a_bundle_that_was_replaced_meanwhile_is_left_alone(copy: Path) -> None:
    """Its engines would be those of the network that was there before."""

    def replace(said: str) -> None:
        if said.startswith("Measuring"):
            write_tiny_bundle(copy, engine=True, seed=5, overwrite=True, labels=("a", "b", "c"))

    with pytest.raises(BundleError, match=r"tiny was replaced while its engines were measured: run optimize again"):
        optimize(copy, OptimizeSettings(**QUICK), replace)
    assert load(copy).manifest.labels == ("a", "b", "c")


# ------------------------------------------------------------------------------------------------- its plan


def test_a_plan_names_what_would_be_tried_and_changes_nothing(
    original: Path, student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "measure_pieces", lambda *_: PIECES)
    before = contents(original)
    names, seconds = plan(original, OptimizeSettings(**QUICK))
    more, longer = plan(original, OptimizeSettings(student=student, **QUICK))
    extent = Extent(tuning=ROWS, read=2 * ROWS, timed=16, repetitions=1)
    assert seconds.stable
    assert seconds.middle == pytest.approx(PIECES.network(extent), abs=5), "and what it takes to open the bundle"
    assert longer.middle == pytest.approx(2 * PIECES.network(extent) + PIECES.engine("int8", extent), abs=5)
    assert names == ["fp32", "int8", "int8-mixed (only if int8 changes labels)", "small"]
    assert more == [*names, *(f"student-{one}" for one in names), "cascade"]
    assert contents(original) == before
    assert [path.name for path in original.parent.iterdir()] == ["tiny"]
