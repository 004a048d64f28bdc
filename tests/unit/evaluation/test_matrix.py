from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from bertline.evaluation.matrix import MOST_LABELS, STRONGEST, confusion_matrix, fold


def drawn(labels: int) -> ElementTree.Element:
    counts = np.random.default_rng(0).integers(0, 30, size=(labels, labels)).tolist()
    return ElementTree.fromstring(confusion_matrix([f"label {i}" for i in range(labels)], counts))


@pytest.mark.parametrize("labels", [1, 2, 3, 8, 20, 24, 150])
def test_every_label_pair_has_a_cell_inside_the_picture(labels: int) -> None:
    root = drawn(labels)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    cells = list(root.iter("rect"))
    shown = labels if labels <= MOST_LABELS else MOST_LABELS + 1
    assert len(cells) == shown**2
    for cell in cells:
        x, y, side = (float(cell.attrib[name]) for name in ("x", "y", "width"))
        assert 0 <= x <= width - side
        assert 0 <= y <= height - side


def test_cells_hold_counts_and_shares_of_the_true_label() -> None:
    root = ElementTree.fromstring(confusion_matrix(["no", "yes"], [[30, 10], [0, 0]]))
    said = [one.text for one in root.iter("text")]
    space = "\N{NARROW NO-BREAK SPACE}"
    assert said[-6:] == ["30", f"75{space}%", "10", f"25{space}%", "0", "0"]
    assert "true no, predicted yes: 10 of 40 rows (25.0\N{NARROW NO-BREAK SPACE}%)" in [
        t.text for t in root.iter("title")
    ]


def test_right_and_wrong_cells_differ_and_stay_faint_enough_to_read() -> None:
    root = ElementTree.fromstring(confusion_matrix(["no", "yes"], [[30, 0], [0, 5]]))
    kinds = [(one.attrib["class"], float(one.attrib["fill-opacity"])) for one in root.iter("rect")]
    assert [kind for kind, _ in kinds] == ["right cell", "wrong cell", "wrong cell", "right cell"]
    assert max(opacity for _, opacity in kinds) == pytest.approx(STRONGEST)


def test_rare_labels_are_summed_up() -> None:
    size = MOST_LABELS + 3
    counts = [[0] * size for _ in range(size)]
    for i in range(size):
        counts[i][i] = 10 + i
    counts[0][1] = 2  # among the rarest three, the labels 0, 1 and 2
    names, cells = fold([f"l{i}" for i in range(size)], counts)
    assert names == [f"l{i}" for i in range(3, size)] + ["other (3 labels)"]
    assert cells[-1][-1] == 10 + 2 + 11 + 12
    assert sum(map(sum, cells)) == sum(map(sum, counts))


def test_long_labels_are_shortened_and_escaped() -> None:
    markup = confusion_matrix(["<script>alert('a label')</script>", "x" * 80], [[1, 2], [3, 4]])
    assert "<script" not in markup
    assert any(one.text == "x" * 21 + "…" for one in ElementTree.fromstring(markup).iter("text"))


@pytest.mark.parametrize("types", [1, 3, MOST_LABELS, 40])
def test_the_last_row_and_column_may_be_renamed_and_stay_last(types: int) -> None:
    counts = np.random.default_rng(1).integers(1, 9, size=(types + 1, types + 1)).tolist()
    counts[-1][-1] = 0
    names = [f"type {i}" for i in range(types)]
    root = ElementTree.fromstring(
        confusion_matrix([*names, "spurious"], counts, columns=[*names, "missed"], what="entities", last=True)
    )
    titles = [one.text or "" for one in root.iter("title")][1:]
    assert sum(one.startswith("true spurious,") for one in titles) == min(types, MOST_LABELS + 1) + 1
    assert titles[-1].startswith("true spurious, predicted missed: 0 of ")
    assert all(one.endswith("%)") and " entities (" in one for one in titles)
    shown, cells = fold([*names, "spurious"], counts, last=True)
    assert (shown[-1], sum(map(sum, cells))) == ("spurious", sum(map(sum, counts)))
