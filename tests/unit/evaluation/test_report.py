from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertline.errors import UsageError
from bertline.evaluation.baselines import Baseline
from bertline.evaluation.kinds.one_label import confusion_note
from bertline.evaluation.matrix import STRONGEST
from bertline.evaluation.report import write_report
from bertline.evaluation.wording import beaten, verdict
from bertline.statistics.intervals import wilson
from bertline.statistics.paired import compare
from bertline.tasks.classify.one_label import Evaluation
from bertline.tasks.contract import Comparison
from bertline.tasks.history import EpochRecord
from tests.unit.tasks.classify.test_one_label import evaluate, named

EVIL = "<script>alert('x')</script>"
CSS = Path(__file__).parents[3] / "src" / "bertline" / "evaluation" / "report.css"
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Collects the elements and the text, and that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def measured(labels: tuple[str, ...] = ("no", "yes"), rows: int = 120, temperature: float = 1.4) -> Evaluation:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(labels), size=rows)
    logits = 2 * rng.normal(size=(rows, len(labels))) + 3 * np.eye(len(labels))[truth]
    return evaluate(
        named(truth, labels),
        logits,
        labels,
        temperature=temperature,
        lengths=rng.integers(3, 40, size=rows).tolist(),
        fields=[{EVIL: EVIL if i % 2 else "web"} for i in range(rows)],
        texts=[f"{EVIL} text {i}" for i in range(rows)],
    )


def baseline(right: int, rows: int = 120, encoder_right: int = 100) -> Baseline:
    mine, other = np.arange(rows) < encoder_right, np.arange(rows) < right
    paired = compare(mine, other)
    gain = Comparison(
        "accuracy", encoder_right / rows, paired.accuracy, paired.p_value, 0.9, paired.only_first, paired.only_second
    )
    figures = {"accuracy": wilson(right, rows), "macro_f1": wilson(right, rows)}
    return Baseline("TF-IDF + logistic regression", EVIL, figures, gain)


def written(directory: Path, evaluation: Evaluation, **more: Any) -> tuple[str, dict[str, Any]]:
    page = write_report(directory, evaluation, title=f"Reviews {EVIL}", **more)
    return page.read_text(encoding="utf-8"), json.loads((directory / "report.json").read_text(encoding="utf-8"))


FULL: dict[str, Any] = {
    "history": [EpochRecord(i, 10, 1.0, 100, 0.5 / i, 0.4, {"accuracy": 0.8}) for i in (1, 2, 3)],
    "baselines": [baseline(80)],
    "facts": [("Source", EVIL)],
    "settings": [(EVIL, "3")],
}


def test_user_text_is_data(tmp_path: Path) -> None:
    page, _ = written(tmp_path, measured((EVIL, "yes")), **FULL)
    found = Page(page)
    assert "<script" not in page
    assert "script" not in {tag for tag, _ in found.tags}
    assert found.open == []
    assert any(EVIL in said for said in found.said)


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    page, _ = written(tmp_path, measured(), **FULL)
    found = Page(page)
    assert all(not {"src", "srcset"} & attributes.keys() for _, attributes in found.tags)
    assert [attributes["href"] for _, attributes in found.tags if "href" in attributes] == ["data:,"]
    assert not re.search(r"url\(|@import|https?://", page)
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_pictures_have_a_role_and_a_title(tmp_path: Path) -> None:
    page, _ = written(tmp_path, measured(), **FULL)
    tags = Page(page).tags
    after = [(tags[i][1], tags[i + 1][0]) for i in range(len(tags)) if tags[i][0] == "svg"]
    assert len(after) >= 6
    assert all(attributes["role"] == "img" and following == "title" for attributes, following in after)


def test_sections_are_there_when_there_is_something_to_show(tmp_path: Path) -> None:
    full, _ = written(tmp_path / "full", measured(), **FULL)
    bare, _ = written(tmp_path / "bare", measured())
    for heading in ("worth", "learning", "origin"):
        assert f'id="{heading}"' in full
        assert f'id="{heading}"' not in bare
    for heading in ("confusion", "calibration", "length", "slices", "mistakes", "reading"):
        assert f'id="{heading}"' in bare


@pytest.mark.parametrize(("labels", "rows"), [(2, 1), (2, 3), (8, 200), (30, 300)])
def test_any_size_can_be_drawn(tmp_path: Path, labels: int, rows: int) -> None:
    page, record = written(tmp_path, measured(tuple(f"label {i}" for i in range(labels)), rows))
    assert record["rows"] == rows
    assert not re.search(r"\bnan\b|\binf\b", page)


def test_json_has_the_same_figures(tmp_path: Path) -> None:
    evaluation = measured()
    _, record = written(tmp_path, evaluation, **FULL)
    assert record["metrics"] == evaluation.metrics()
    assert record["history"][1]["epoch"] == 2
    assert record["baselines"][0]["encoder_gain"]["only_first"] == 20
    assert record["facts"] == [["Source", EVIL]]
    assert record["settings"] == [[EVIL, "3"]]


def test_an_older_report_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    written(tmp_path, measured(rows=10))
    _, record = written(tmp_path, measured(rows=20))
    assert record["rows"] == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_the_same_figures_give_the_same_page(tmp_path: Path) -> None:
    assert written(tmp_path / "a", measured(), **FULL) == written(tmp_path / "b", measured(), **FULL)


def test_without_jinja_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError) as caught:
        write_report(tmp_path, measured(), title="x")
    assert str(caught.value) == "the report needs Jinja, which is not installed: pip install 'bertline[train]'"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("right", "says"),
    [(80, "the encoder is better"), (118, "the encoder is worse"), (99, "these rows show no difference")],
)
def test_the_verdict_follows_the_paired_test(right: int, says: str) -> None:
    assert says in verdict(measured(), [baseline(40), baseline(right)])


def test_an_encoder_behind_a_baseline_is_a_warning() -> None:
    said = beaten([baseline(40), baseline(118)])
    assert said is not None
    assert re.fullmatch(r"\S.* has the accuracy \d+\.\d\s%, \d+\.\d points more than the encoder \(p < 0\.001\)", said)
    assert beaten([baseline(40), baseline(80)]) is None
    assert beaten([]) is None


@pytest.mark.parametrize(
    ("temperature", "sentence"),
    [
        (1.4, "overconfident; a temperature of 1.40 takes the calibration error"),
        (0.5, "underconfident; a temperature of 0.50 takes the calibration error"),
        (1.0, "The temperature is 1, which leaves the probabilities as they are: ECE"),
    ],
)
def test_the_page_says_what_the_temperature_did(temperature: float, sentence: str, tmp_path: Path) -> None:
    assert sentence in written(tmp_path, measured(temperature=temperature))[0]


def test_sentences_about_confusion() -> None:
    assert "is taken for" in confusion_note(measured())
    assert confusion_note(measured(rows=1)).endswith("There is no mistake.")


def palette(mode: str) -> dict[str, str]:
    blocks = re.findall(r":root \{([^}]*)\}", CSS.read_text(encoding="utf-8"))
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[("light", "dark").index(mode)]))


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """WCAG 2.2's contrast ratio of two sRGB colours."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    bright, dim = sorted((float(c @ [0.2126, 0.7152, 0.0722]) for c in linear), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_has_a_contrast_of_4_5(mode: str) -> None:
    colours = {name: rgb(colour) for name, colour in palette(mode).items()}
    for text in ("text", "muted", "first", "second", "good", "bad"):
        assert contrast(colours[text], colours["surface"]) >= 4.5, text
    for text in ("text", "muted"):
        assert contrast(colours[text], colours["page"]) >= 4.5, text


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("fill", ["cell-right", "cell-wrong"])
def test_counts_can_be_read_on_the_strongest_cell(mode: str, fill: str) -> None:
    colours = {name: rgb(colour) for name, colour in palette(mode).items()}
    strongest = STRONGEST * colours[fill] + (1 - STRONGEST) * colours["surface"]
    assert contrast(colours["text"], strongest) >= 4.5
