from __future__ import annotations

import json
from functools import partial

from bertline.cli.predict_lines import entity_lines, fitted, json_line, rank_lines, screen_line, tab_line
from bertline.data.entities import Entity
from bertline.inference import Prediction
from bertline.tasks.classify.answer import Number
from bertline.tasks.tag.answer import Answer, ScoredEntity

PREDICTION = Prediction("good", {"bad": 0.25, "good": 0.75}, read_tokens=8, cut_tokens=0)
LONG = Prediction("good", {"bad": 0.25, "good": 0.75}, read_tokens=256, cut_tokens=1234)
SEVERAL = Prediction("good", {"bad": 0.5, "good": 0.75}, read_tokens=8, cut_tokens=0, labels=("bad", "good"))
NONE = Prediction("good", {"bad": 0.25, "good": 0.375}, read_tokens=8, cut_tokens=0, labels=())
NUMBER = Number(1 / 3, read_tokens=8, cut_tokens=0)

TAGGED = Answer(
    (ScoredEntity(Entity(0, 3, "person"), "Ada", 0.75), ScoredEntity(Entity(7, 13, "geo-loc"), "São\tPa", 0.5)), 9, 2
)
NOTHING = Answer((), 4, 0)


def ranks(text: str, answer: Prediction, top_k: int | None, label_width: int, line_width: int) -> str:
    top = {} if top_k is None else {"top_k": top_k}
    return fitted(partial(rank_lines, top=top, label_width=label_width), line_width, text, answer)


def test_a_json_line_is_what_the_service_answers() -> None:
    assert json_line("schön", LONG, {"top_k": 1}) == (
        '{"text": "schön", "label": "good", "probabilities": [{"label": "good", "probability": 0.75}], '
        '"read_tokens": 256, "cut_tokens": 1234}'
    )
    assert json_line("schön", NUMBER) == (
        '{"text": "schön", "number": 0.3333333333333333, "read_tokens": 8, "cut_tokens": 0}'
    )


def test_a_tab_line_has_no_tabs_of_its_own() -> None:
    assert tab_line("a\tb\r\nc", PREDICTION, {"top_k": 2}) == "good\t0.750000\tbad\t0.250000\ta b  c"


def test_a_tab_line_has_the_columns_of_a_table() -> None:
    assert tab_line("text", PREDICTION) == "good\t0.750000\ttext"
    assert tab_line("text", SEVERAL) == 'good\t0.750000\t["bad", "good"]\ttext'
    assert tab_line("text", NUMBER) == "0.3333333333333333\ttext"
    assert tab_line("none", NOTHING) == "[]\tnone"
    [cell, text] = tab_line("Ada in São\tPa", TAGGED).split("\t")
    assert (json.loads(cell), text) == (TAGGED.columns()["predicted_entities"], "Ada in São Pa")


def test_a_screen_line_fits_and_cannot_command_the_terminal() -> None:
    text = "\x1b[2Jclear " + "x" * 100
    assert ranks(text, PREDICTION, 1, 5, 40) == "good    75.0\u202f%   [2Jclear xxxxxxxxxxxxx…"
    assert ranks("short", PREDICTION, 1, 5, 40) == "good    75.0\u202f%  short"


def test_wide_characters_are_counted_by_their_cells() -> None:
    assert ranks("東京" * 20, PREDICTION, 1, 4, 40) == "good   75.0\u202f%  " + "東京" * 6 + "…"


def test_the_cut_and_the_other_ranks_are_shown() -> None:
    assert ranks("text", LONG, 2, 4, 0) == "good   75.0\u202f%  (1,234 tokens cut)\nbad    25.0\u202f%"


def test_of_several_labels_the_assigned_ones_are_shown() -> None:
    assert ranks("text", SEVERAL, None, 4, 0) == "good   75.0\u202f%\nbad    50.0\u202f%"
    assert ranks("text", NONE, None, 4, 40) == "no label  text"
    assert ranks("text", NONE, 1, 4, 0) == "good   37.5\u202f%"


def test_a_number_on_a_terminal() -> None:
    assert fitted(screen_line, 40, "text", NUMBER) == "0.3333333333333333  text"


def test_entities_as_a_json_line() -> None:
    assert json.loads(json_line("Ada in São\tPa", TAGGED)) == {
        "text": "Ada in São\tPa",
        "entities": [
            {"start": 0, "end": 3, "label": "person", "text": "Ada", "score": 0.75},
            {"start": 7, "end": 13, "label": "geo-loc", "text": "São\tPa", "score": 0.5},
        ],
        "read_tokens": 9,
        "cut_tokens": 2,
    }


def test_entities_on_a_terminal_are_below_their_text() -> None:
    assert fitted(entity_lines, 60, "Ada in São\tPa", TAGGED) == (
        "2 entities  (2 tokens cut)  Ada in São Pa\n  person    75.0\u202f%  Ada\n  geo-loc   50.0\u202f%  São Pa"
    )
    assert fitted(entity_lines, 60, "none", NOTHING) == "no entities  none"
