"""Probe texts with the logits that a network gives them: an engine that answers otherwise is not used.

An engine can be wrong on one machine and right on another, where a library has a fault for one instruction set; and
it can be another network's. Hashes do not see the first; a few answers see both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from bertline.bundle.engine import FOLDER, Precision
from bertline.errors import BundleError
from bertline.statistics.figures import percent
from bertline.text.reading import Input

# The full network's sentence embeddings as a graph. Named here, where neither onnx nor torch is imported, because what
# serves must find the file without either.
EMBEDDING = "embedding.onnx"
# The graph that shows what each layer computes (``export.inside``).
ATTENTIONS = "attentions.onnx"

PROBES = f"{FOLDER}/probes.json"
NUMBER = 16  # of texts

# Root mean square of the deviation, relative to the spread of the network's own logits. fp32 differs by rounding
# alone; int8 engines that lose no accuracy measured 0.02 to 0.06 (docs/log.md), overflowing ones 0.25 and more.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "int8": 0.2}
# A network that answers every text alike has no spread, and rounding would be infinitely far from it. So a spread
# counts as no less than this much of a calibrated logit, which moves a probability by at most 1.25 points,
LEAST_SPREAD = 0.05
# nor as less than this share of the logits' own size, which rounding in fp32 stays far below.
LEAST_SHARE = 0.01

MOST_COLUMNS = 512  # of the scores of a vocabulary that are kept: all 30,522 would take 10 MB

Logits = Float[np.ndarray[Any, Any], "rows labels"]
EngineLogits = Float[np.ndarray[Any, Any], "found_rows found_labels"]  # of an engine; its shape may be wrong


@dataclass(frozen=True)
class Probes:
    """Texts or pairs of them, and for each network of the bundle, by name, its fp32 logits, [texts, labels].

    Where the ``output`` is ``tags``, they are those of each token, one text's below the other's: [tokens, labels].
    Where it is ``vocabulary``, they are those of each [MASK], for some entries of the vocabulary (``thinned``).
    """

    texts: tuple[Input, ...] = ()
    logits: Mapping[str, Logits] = field(default_factory=dict)
    output: str = "logits"

    def write(self, bundle: Path) -> None:
        """Write them into the bundle at ``bundle``."""
        path = bundle / PROBES
        path.parent.mkdir(exist_ok=True)
        content = {"texts": list(self.texts), self.output: {name: rows.tolist() for name, rows in self.logits.items()}}
        path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def read_probes(bundle: Path) -> Probes:
    """The probes of a bundle; none if it has none.

    Raises:
        BundleError: the file is not what ``Probes.write`` writes.
    """
    path = bundle / PROBES
    if not path.is_file():
        return Probes()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        output = next((one for one in ("tags", "vocabulary", "embedding") if one in content), "logits")
        logits = {name: np.array(rows, dtype=np.float64) for name, rows in content[output].items()}
        texts = len(content["texts"])
        if any(rows.ndim != 2 or len(rows) < texts for rows in logits.values()):
            raise ValueError("at least one row of logits per text is needed")
        if output in ("logits", "embedding") and any(len(rows) != texts for rows in logits.values()):
            raise ValueError("as many rows of logits as texts are needed")
        if not all(np.isfinite(rows).all() for rows in logits.values()):
            raise ValueError("a logit is not a finite number")
        inputs = tuple(text if isinstance(text, str) else (text[0], text[1]) for text in content["texts"])
        return Probes(inputs, logits, output)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is not a file of probes ({error}): write the bundle again with bertline") from error


def objection(reference: Logits, logits: EngineLogits, precision: Precision, temperature: float = 1.0) -> str | None:
    """Why an engine must not be used, given its logits of the probe texts; None if it may.

    ``optimize`` and the loader share this rule, so that an engine that is picked can be loaded.

    Args:
        reference: the network's own logits.
        logits: the engine's.
        precision: of the engine's products.
        temperature: of the bundle.
    """
    if logits.shape != reference.shape:
        return f"its logits of the probe texts have the shape {list(logits.shape)} instead of {list(reference.shape)}"
    if not np.isfinite(logits).all():
        return "its logits of the probe texts are not all finite numbers"
    off, allowed = deviation(reference, logits, temperature), TOLERANCE[precision]
    if off <= allowed:
        return None
    return (
        f"its logits of the probe texts are off by {percent(off)} of their spread, and {percent(allowed)} is allowed "
        f"for {precision}"
    )


def deviation(reference: Logits, logits: EngineLogits, temperature: float = 1.0) -> float:
    """Root mean square of ``logits − reference``, relative to that of ``reference`` around its column means.

    The denominator is at least ``LEAST_SPREAD`` and ``LEAST_SHARE`` allow.

    >>> deviation(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([[1.1, -1.1], [-1.1, 1.1]]))
    0.10000000000000009
    """
    if logits.shape != reference.shape or not np.isfinite(logits).all():
        return float("inf")
    centre = reference.mean(axis=0) if len(reference) > 1 else 0.0  # one text has no spread
    spread = float(np.sqrt(np.mean((reference - centre) ** 2)))
    size = float(np.sqrt(np.mean(np.square(reference))))
    least = max(LEAST_SPREAD * temperature, LEAST_SHARE * size)
    return float(np.sqrt(np.mean((logits - reference) ** 2))) / max(spread, least)


def thinned(output: str, rows: EngineLogits) -> EngineLogits:
    """Rows of an output as probes keep them: of a large vocabulary, evenly spread columns."""
    return rows[:, :: -(-rows.shape[1] // MOST_COLUMNS)] if output == "vocabulary" else rows


def choose(lengths: Sequence[int], number: int = NUMBER) -> list[int]:
    """Rows to probe with: evenly spread from the shortest text to the longest.

    >>> choose([5, 9, 7], number=2)
    [0, 1]
    """
    order = np.argsort(lengths, kind="stable")
    picked = np.unique(np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(int))
    return [int(order[i]) for i in picked]
