"""What a caller asks of a model beyond its own answer: how many labels or words, and which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bertline.errors import UsageError
from bertline.inference.predictor import Predictor
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import Spec as Embedder

Top = Mapping[str, int]  # the argument ``top_k`` of an answer's methods, where it was given
DEFAULT: Top = MappingProxyType({})


def spec_of(
    predictor: Predictor, top_k: int | None, targets: Sequence[str] | None, dimensions: int | None = None
) -> TaskSpec | None:
    """The spec to answer with; None is the model's own.

    Raises:
        UsageError: words to choose from were given and the model fills in none; or dimensions to keep, and it gives
            no embeddings or was not trained to be cut to them.
    """
    if dimensions is not None:
        if not isinstance(predictor.spec, Embedder):
            raise UsageError(f"--dimensions is for embedding models, and {predictor.name} is none: leave it out")
        return predictor.spec.keeping(dimensions, predictor.name)
    if predictor.spec.chooses:
        return predictor.spec.choosing(top_k, targets)
    if targets is not None:
        raise UsageError(f"--target is for models that fill in words, and {predictor.name} does not: leave it out")
    return None


def top_of(predictor: Predictor, top_k: int | None) -> Top:
    """What ``top_k`` says to the answers' methods.

    Raises:
        UsageError: it was given and the answers rank no labels.
    """
    if top_k is None or predictor.spec.chooses:
        return {}
    if not predictor.spec.ranked:
        raise UsageError(f"--top-k is for models that rank labels, and {predictor.name} does not: leave it out")
    return {"top_k": min(top_k, len(predictor.labels))}
