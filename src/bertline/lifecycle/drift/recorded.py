"""New answers that a store kept without their texts, as a window: answers, lengths, and embeddings of a sample."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from bertline.lifecycle.drift.properties import CUT, LENGTH
from bertline.lifecycle.drift.window import Window, answer_columns, unit
from bertline.lifecycle.predictions.kept import KeptAnswer
from bertline.tasks.contract import TaskSpec


def recorded_window(spec: TaskSpec, kept: Sequence[KeptAnswer]) -> Window:
    """The window of some kept answers.

    Args:
        spec: of the bundle that gave them.
        kept: the answers, the oldest first.
    """
    read, cut = ([getattr(one, name) for one in kept] for name in ("read_tokens", "cut_tokens"))
    embedded = [place for place, one in enumerate(kept) if one.embedding is not None]
    vectors = [np.frombuffer(kept[place].embedding or b"", dtype="<f4") for place in embedded]
    return Window(
        inputs=(),
        places=range(1, len(kept) + 1),
        answers=answer_columns(spec, [json.loads(one.answer) for one in kept], read),
        embeddings=unit(np.stack(vectors)) if vectors else np.empty((0, 0), dtype=np.float32),
        properties={LENGTH: np.add(read, cut, dtype=np.float64), CUT: np.array([float(one > 0) for one in cut])},
        embedded=np.array(embedded, dtype=np.int64),
    )
