"""The clusters of an index, each with a name and its most typical texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bertline.similarity.cluster_names import name_clusters
from bertline.similarity.index import Index
from bertline.similarity.notify import Notify, quiet
from bertline.statistics.vectors.clustering import Clustering, cluster

TYPICAL = 3  # texts that are shown of a cluster


@dataclass(frozen=True, slots=True)
class Cluster:
    """Texts that mean similar things.

    Attributes:
        number: from 1; the largest cluster is the first.
        name: the words by which its texts differ from all.
        rows: number of texts.
        share: of all texts.
        similarity: mean cosine of its texts with its centre.
        typical: the texts nearest to its centre.
        lines: of these texts.
    """

    number: int
    name: str
    rows: int
    share: float
    similarity: float
    typical: tuple[str, ...]
    lines: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of an index, the largest first.

    Attributes:
        clusters: each one.
        silhouette: how well they are separated, −1 to 1; None for a single cluster.
        tried: silhouettes of the numbers of clusters that were tried.
        rows: the cluster's number and the cosine with its centre for each row.
    """

    clusters: tuple[Cluster, ...]
    silhouette: float | None
    tried: dict[int, float]
    rows: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """All but the rows."""
        return {
            "clusters": [one.to_json() for one in self.clusters],
            "silhouette": self.silhouette,
            "tried": {str(number): separation for number, separation in self.tried.items()},
        }


def clusters_of(index: Index, number: int | None = None, *, seed: int = 0, notify: Notify = quiet) -> Clusters:
    """Cluster the texts of an index.

    Args:
        index: at least one row.
        number: of clusters; by default the one that separates best. Fewer if there are fewer different texts.
        seed: of the starts.
        notify: gets the numbers of clusters that were tried.
    """
    found = cluster(
        index.vectors, number, seed=seed, notify=lambda done: notify("trying numbers of clusters", done, None)
    )
    names = name_clusters(index.texts(), found.clusters.tolist(), len(found.centres))
    typical = [_typical(found, one) for one in range(len(names))]
    rows = index.pick([row for some in typical for row in some])
    column = index.facts.text_column
    clusters = []
    for place, (words, some) in enumerate(zip(names, typical, strict=True)):
        own = found.clusters == place
        size = int(own.sum())
        clusters.append(
            Cluster(
                number=place + 1,
                name=", ".join(words) or f"cluster {place + 1}",
                rows=size,
                share=size / len(own),
                similarity=round(float(found.similarities[own].mean()), 6),
                typical=tuple(str(rows[row].values[column]) for row in some),
                lines=tuple(rows[row].line for row in some),
            )
        )
    each = zip((found.clusters + 1).tolist(), found.similarities.clip(-1, 1).round(6).tolist(), strict=True)
    return Clusters(tuple(clusters), found.silhouette, found.tried, tuple(each))


def _typical(found: Clustering, cluster: int) -> list[int]:
    """The rows nearest to a cluster's centre."""
    own = np.flatnonzero(found.clusters == cluster)
    order = np.lexsort((own, -found.similarities[own].round(6)))
    return own[order[:TYPICAL]].tolist()  # type: ignore[no-any-return]
