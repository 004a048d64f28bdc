"""The texts of an index that are nearest to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float

from bertline.similarity.index import Array, Index
from bertline.similarity.notify import Notify, quiet
from bertline.statistics.activation import normalised
from bertline.statistics.vectors.neighbours import nearest


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A text of an index that is near to a query.

    Attributes:
        similarity: cosine of the two embeddings, −1 to 1.
        line: of the text in the table, from 1; of Parquet its row.
        text: the text.
        values: all columns of its row.
    """

    similarity: float
    line: int
    text: str
    values: Mapping[str, object]


def neighbours_of(
    index: Index, queries: Float[Array, "queries hidden"], most: int, notify: Notify = quiet
) -> list[list[Neighbour]]:
    """The nearest texts of each query, the most similar first; of equals, the first of the table.

    Args:
        index: the texts.
        queries: embeddings, of any length; they are cut to the dimensions of the index.
        most: texts for a query.
        notify: gets the queries that are done.
    """
    units = normalised(queries[:, : index.facts.dimensions])
    found = nearest(units, index.vectors, most, lambda done: notify("comparing", done, len(queries)))
    rows, column = index.pick(found.rows.ravel().tolist()), index.facts.text_column

    def neighbour(number: int, similarity: float) -> Neighbour:
        row = rows[number]
        return Neighbour(similarity, row.line, str(row.values[column]), row.values)

    each: Any = zip(found.rows.tolist(), found.similarities.tolist(), strict=True)
    return [[neighbour(*pair) for pair in zip(*one, strict=True)] for one in each]
