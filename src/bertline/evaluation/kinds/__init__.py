"""The contents of reports, as a table by the type of the evaluation.

An evaluation that is not in the table gets a report with its figures alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertline.evaluation.kinds import embeddings, entities, numbers, one_label, rankings, several_labels
from bertline.evaluation.kinds.kind import Kind
from bertline.tasks.classify.number import NumberEvaluation
from bertline.tasks.classify.one_label import Evaluation as OneLabelEvaluation
from bertline.tasks.classify.several_labels import SeveralEvaluation
from bertline.tasks.embed.measure import EmbedEvaluation
from bertline.tasks.rank.measure import RankEvaluation
from bertline.tasks.tag.entity_scores import EntityEvaluation

KINDS: Mapping[type, Kind] = {
    OneLabelEvaluation: one_label.KIND,
    SeveralEvaluation: several_labels.KIND,
    NumberEvaluation: numbers.KIND,
    EntityEvaluation: entities.KIND,
    RankEvaluation: rankings.KIND,
    EmbedEvaluation: embeddings.KIND,
}
FIGURES_ALONE = Kind("kinds/figures.html.jinja")


def kind_of(evaluation: Any) -> Kind:
    """The entry of an evaluation."""
    return KINDS.get(type(evaluation), FIGURES_ALONE)
