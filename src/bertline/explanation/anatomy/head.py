"""The last steps: what the head reads of the last layer's states, and what it makes of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertline.explanation.anatomy.found import Step
from bertline.explanation.anatomy.inside import Inside
from bertline.statistics.activation import probabilities
from bertline.statistics.figures import percent
from bertline.tasks.contract import TaskSpec

READS = {
    "cls": "The head reads the last state of the first token alone, through one more learned layer.",
    "pooled": "The embedding is the last state of the first token, through one more learned layer.",
    "mean": "The head reads the mean of all tokens' last states.",
    "normalised": "The head reads the mean of all tokens' last states, divided by its length.",
    "none": "The head reads the last state of each token by itself.",
}
EMBEDS = {
    "cls": "The embedding is the last state of the first token.",
    "mean": "The embedding is the mean of all tokens' last states.",
}
FORMULAS = {
    "cls": "p = f(y₀·W + b)",
    "pooled": "p = tanh(y₀·W + b)",
    "mean": "p = (y₁ + … + yₙ) / n",
    "normalised": "p = m / |m|,  m = (y₁ + … + yₙ) / n",
    "none": "pᵢ = yᵢ",
}


def head_steps(inside: Inside, spec: TaskSpec, pooling: str) -> tuple[Step, ...]:
    """What is read, and the answer where the head has logits of texts."""
    pooled = (_pooled(inside, spec, pooling),)
    return pooled if inside.scores is None else (*pooled, _answer(inside.scores, spec))


def _pooled(inside: Inside, spec: TaskSpec, pooling: str) -> Step:
    says, formula = READS[pooling], FORMULAS[pooling]
    if spec.output == "embedding":
        says, formula = EMBEDS.get(pooling, says), "p = y₀" if pooling == "cls" else formula
        if getattr(spec, "normalised", False):
            says += " The answer is this vector divided by its length."
    last = inside.part(len(inside.layers) - 1, "output")
    values: dict[str, Any] = {"first": last[0], "mean": last.mean(axis=0)}
    if pooling == "none":
        values = {"states": last}
    if inside.pooled is not None:
        values["pooled"] = inside.pooled
    return Step("pooled", "What the head reads", says, formula, values)


def _answer(scores: np.ndarray[Any, Any], spec: TaskSpec) -> Step:
    shares = probabilities(scores[None], spec.activation, spec.temperature)[0]
    labels: Sequence[str] = spec.labels or ("score",)
    divided = f", divided by the temperature {spec.temperature:.3g}," if spec.temperature != 1 else ""
    if spec.activation == "softmax":
        says = (
            f"A learned row for each label gives its logit. The logits{divided} go through softmax: probabilities "
            f"that sum to 1. The largest is that of {labels[int(shares.argmax())]}, {percent(float(shares.max()))}."
        )
        formula = "pᵢ = exp(zᵢ/T) / Σⱼ exp(zⱼ/T)"
    elif spec.activation == "sigmoid":
        says = (
            f"A learned row gives each logit; each of them{divided} becomes a probability by itself, so they need not "
            "sum to 1."
        )
        formula = "pᵢ = 1 / (1 + exp(−zᵢ/T))"
    else:
        says, formula = f"A learned row gives the number: {shares[0]:.4g}.", "z = w·p + b"
    values = {"labels": list(labels), "logits": scores, "temperature": spec.temperature, "probabilities": shares}
    return Step("answer", "Logits and answer", says, formula, values)
