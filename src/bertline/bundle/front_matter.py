"""The YAML head of a model card, as the Hugging Face hub reads it.

Source: https://github.com/huggingface/hub-docs/blob/main/modelcard.md (fields) and
https://huggingface.co/docs/hub/model-cards#evaluation-results (``model-index``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bertline.bundle.figures import UNCALIBRATED, Figure, figures
from bertline.bundle.manifest import Manifest

# Our names of metrics → the hub's. Those it does not know keep their own.
HUB_METRICS = {"macro_f1": "f1", "mcc": "matthews_correlation", "ece": "expected_calibration_error"}
_HUB_ID = re.compile(r"[a-z0-9][\w.-]*(/[a-z0-9][\w.-]*)?", re.ASCII | re.IGNORECASE)

# By output: the hub's name of the pipeline, and a title.
PIPELINES = {
    "tags": ("token-classification", "Token classification"),
    "vocabulary": ("fill-mask", "Fill-mask"),
    "embedding": ("sentence-similarity", "Sentence similarity"),
}


def front_matter(manifest: Manifest) -> str:
    """The block between the two ``---`` lines, both included.

    Of ``lineage`` it reads ``language``, ``license`` and ``base_model``; of ``metrics`` the figures.
    """
    measured_figures = figures(manifest.metrics)
    measured = {name: figure for name, figure in measured_figures.items() if not name.endswith(UNCALIBRATED)}
    fields: dict[str, Any] = {}
    for key in ("language", "license", "base_model"):
        value = manifest.lineage.get(key)
        if isinstance(value, str) and _HUB_ID.fullmatch(value):
            fields[key] = value
    embeds = manifest.task.output == "embedding"
    own = "bertline" if manifest.pooling in ("mean", "normalised") else "transformers"
    fields["library_name"] = "sentence-transformers" if embeds else own
    pipeline, _ = _pipeline(manifest)
    fields["pipeline_tag"] = pipeline
    calibrated = pipeline == "text-classification" and manifest.task.activation != "none"
    fields["tags"] = ["bertline", pipeline, *(["calibrated"] if calibrated else [])]
    if measured:
        fields["metrics"] = sorted({HUB_METRICS.get(name, name) for name in measured})
        fields["model-index"] = [{"name": manifest.name, "results": [_result(manifest, measured)]}]
    return "\n".join(["---", *_yaml(fields, ""), "---"]) + "\n"


def _result(manifest: Manifest, measured: Mapping[str, Figure]) -> dict[str, Any]:
    source = str(manifest.data.get("source", "own data"))
    slug = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-") or "own-data"
    return {
        "task": dict(zip(("type", "name"), _pipeline(manifest), strict=True)),
        "dataset": {"name": source, "type": slug, "split": "test"},
        "metrics": [
            {"type": HUB_METRICS.get(name, name), "name": figure.title, "value": figure.value}
            for name, figure in measured.items()
        ],
    }


def _pipeline(manifest: Manifest) -> tuple[str, str]:
    if manifest.task.task == "rank":
        return "text-ranking", "Text ranking"
    if manifest.task.output in PIPELINES:
        return PIPELINES[manifest.task.output]
    return "text-classification", "Text classification"


def _yaml(value: Any, indent: str) -> Iterator[str]:
    """Block style for mappings and lists, JSON's notation (a subset of YAML) for scalars."""
    pairs = value.items() if isinstance(value, Mapping) else ((None, entry) for entry in value)
    for key, entry in pairs:
        head = f"{indent}- " if key is None else f"{indent}{key}:"
        if not isinstance(entry, Mapping | list):
            yield f"{head}{' ' if key is not None else ''}{_scalar(entry)}"
        elif key is not None:
            yield head
            yield from _yaml(entry, indent + "  ")
        else:
            lines = list(_yaml(entry, indent + "  "))
            yield head + lines[0].lstrip()
            yield from lines[1:]


def _scalar(value: object) -> str:
    """A scalar in JSON's notation; plain where YAML allows it for sure, unprintable characters escaped."""
    if isinstance(value, float):
        return f"{value:.6f}"  # 1e-05 is a string to YAML 1.1
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)+", value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(mark if mark.isprintable() else f"\\U{ord(mark):08x}" for mark in text)
