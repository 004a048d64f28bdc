"""The names of outputs in metrics and traces."""

from __future__ import annotations

from collections.abc import Mapping

OPERATION: Mapping[str, str] = {
    "logits": "classify",
    "tags": "tag",
    "vocabulary": "fill",
    "embedding": "embed",
    "states": "hidden",
    **dict.fromkeys(("attentions", "embeddings", "layers", "inner", "pooled", "scores"), "attend"),
}
