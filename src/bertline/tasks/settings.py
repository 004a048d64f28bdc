"""What a table is to be used for: the settings from which training makes a task's spec."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bertline.data.settings import LabelledTableSettings

Problem = Literal["single", "several", "number"]


class TaskSettings(LabelledTableSettings):
    """A table to train on, and what to learn from it."""

    task: str | None = Field(
        None, description="classify (texts) or tag (entities in texts); by default tag where a table has entities"
    )
    problem: Problem | None = Field(
        None,
        description="what a classifier gives a text: a single label, several labels, or a number; by default several "
        "where the labels are lists or columns, else single",
    )
    scheme: Literal["BIO", "BIOES"] = Field("BIO", description="how a tagger spells entities")
    label_all_pieces: bool = Field(False, description="a tagger learns from every piece of a word, not the first alone")
