"""An engine: one way to compute a bundle's network, as ``bertline.json`` records it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bertline.bundle.fields import Facts, FilePath, Name, Strict

FOLDER = "engines"
RESERVED = "torch"  # selects PyTorch
WORDS = "words"  # selects the linear model of words
WORDS_FILE = "words/model.npz"  # of a bundle that keeps one
FULL = "full"  # the bundle's own checkpoint

Precision = Literal["fp32", "int8"]


class Engine(Strict):
    """One ONNX graph, or a cascade of two.

    Attributes:
        name: what people call it.
        kind: ``onnx``: one graph; ``cascade``: ``parts`` names two engines, and texts of which the first is less sure
            than ``threshold`` go on to the second.
        outputs: what it computes, by the names in ``encoder.outputs``.
        precision: of the products; says how far the answers may be from the probes' (``probes.TOLERANCE``).
        network: whose logits the probes hold for it: ``full``, or the name of a smaller one. All networks of a bundle
            share its labels, tokens and temperature.
        file: of an ``onnx`` engine, inside the bundle.
        batch_tokens: bound on the padded tokens of a batch: small ones stay in the cache.
        measured: what ``optimize`` measured, free-form.
    """

    name: Name
    kind: Literal["onnx", "cascade"] = "onnx"
    outputs: tuple[str, ...] = ("logits",)
    precision: Precision
    network: Name = FULL
    file: FilePath | None = None
    parts: tuple[Name, ...] = ()
    threshold: Annotated[float, Field(ge=0, le=1.01)] | None = None
    batch_tokens: Annotated[int, Field(ge=16)] = 512
    measured: Facts = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "onnx" and self.file is None:
            raise ValueError("an onnx engine needs its file")
        if self.kind == "cascade" and (len(self.parts) != 2 or self.threshold is None):
            raise ValueError("a cascade needs two parts and a threshold")
        return self
