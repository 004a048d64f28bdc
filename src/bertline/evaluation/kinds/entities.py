"""Entities: a table of types, which types are confused, missed or spurious, and the sentences about them."""

from __future__ import annotations

from typing import Any

from bertline.evaluation.kinds.kind import Kind
from bertline.statistics.figures import INTERVAL, percent, percent_range
from bertline.tasks.tag.entity_scores import EntityEvaluation


def lead(evaluation: EntityEvaluation) -> str:
    """The score, and over how many entities."""
    f1 = evaluation.micro["f1"]
    return (
        f"F1 {percent(f1.value)} over {evaluation.entities:,} entities in {evaluation.rows:,} texts "
        f"({INTERVAL} {percent_range(f1)}), {len(evaluation.types)} types."
    )


def collapse(evaluation: EntityEvaluation) -> str | None:
    """The warning about a model that finds no entity at all."""
    if not evaluation.entities or any(scores.predicted for scores in evaluation.types):
        return None
    return f"the model finds no entity in any of the {evaluation.rows:,} texts"


def unknown(evaluation: EntityEvaluation, model: str) -> str | None:
    """The note about types that the model does not know."""
    if not evaluation.unknown:
        return None
    counts = [f"{scores.label} {scores.support:,}" for scores in evaluation.types if scores.label in evaluation.unknown]
    return f"entities of types that {model} does not know count as missed ({', '.join(counts)})"


def confusion_note(evaluation: EntityEvaluation) -> str:
    """The kinds of errors, the most frequent first."""
    *rows, spurious = evaluation.confusion
    counts = {
        "missed": sum(row[-1] for row in rows),
        "spurious": sum(spurious),
        "of another type": sum(n for i, row in enumerate(rows) for j, n in enumerate(row[:-1]) if i != j),
        "of the right type with other borders": sum(scores.boundary for scores in evaluation.types),
    }
    if not any(counts.values()):
        return "Every entity is found, and there is no other."
    named = [f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1])]
    return f"A true and a predicted entity are paired where they overlap: {', '.join(named)}."


def _context(evaluation: EntityEvaluation) -> dict[str, Any]:
    from bertline.evaluation import charts, matrix  # the pictures need markupsafe, which comes with Jinja

    names = [scores.label for scores in evaluation.types]
    pictures = {
        "confusion": matrix.confusion_matrix(
            [*names, "spurious"], evaluation.confusion, columns=[*names, "missed"], what="entities", last=True
        )
    }
    if evaluation.bins:
        pictures["reliability"] = charts.reliability_diagram(evaluation.bins, rows="entities", across="score")
    return {"confusion_note": confusion_note(evaluation), "pictures": pictures}


KIND = Kind(
    "kinds/entities.html.jinja",
    lead=lead,
    reached="reaches an F1 of {}",
    compared=("f1", "macro_f1"),
    context=_context,
    collapse=collapse,
    unknown=unknown,
)
