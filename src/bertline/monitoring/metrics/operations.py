"""What metrics and traces call the computing of an output: names that dashboards and alerts know."""

from __future__ import annotations

from collections.abc import Mapping

OPERATION: Mapping[str, str] = {
    "logits": "classify",
    "tags": "tag",
    "vocabulary": "fill",
    "embedding": "embed",
    "states": "hidden",
    "attentions": "attend",
}
