"""The settings of pre-training, which are read before any library is imported."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from bertline.data.settings import TableSettings
from bertline.training.settings import LoopSettings

CONTINUED_LR = 1e-4


class VocabularySettings(TableSettings):
    """A vocabulary to train."""

    size: int = Field(30_522, ge=16, description="tokens of the vocabulary, special ones included")
    cased: bool = Field(False, description="keep capitals and accents")
    min_count: int = Field(2, ge=1, description="how often a piece must occur to become a token")
    characters: int = Field(
        1000, ge=1, description="different characters to keep, the most frequent ones; words with others are [UNK]"
    )
    base: str = Field("all-MiniLM-L6-v2", description="model whose vocabulary is measured beside the new one")
    sentence: str | None = Field(None, description="sentence to show as the tokens of both vocabularies")


class PretrainSettings(LoopSettings, TableSettings):
    """An encoder to pre-train on texts, from scratch or from a published one."""

    model: str | None = Field(
        None, description="checkpoint directory, name of an installed model, or hub id to continue from"
    )
    vocab: Path | None = Field(
        None, description="directory of a tokenizer, as bertline vocab writes it, to start from scratch"
    )
    family: Literal["bert", "distilbert"] = Field("bert", description="architecture from scratch")
    layers: int = Field(6, ge=1, description="layers from scratch")
    hidden: int = Field(384, ge=1, description="hidden size from scratch")
    heads: int = Field(12, ge=1, description="attention heads of a layer from scratch")
    feed_forward: int = Field(1536, ge=1, description="feed-forward neurons of a layer from scratch")
    start: Literal["neighbours", "random"] = Field(
        "neighbours", description="first layer from scratch: heads that look at the neighbouring tokens, or random ones"
    )

    epochs: int = Field(1, ge=1, description="passes over the texts")
    tokens: int | None = Field(None, ge=1, description="tokens to train on, instead of whole passes")
    sequence_tokens: int = Field(256, ge=8, description="tokens of a sequence; texts are packed without padding")
    batch_tokens: int = Field(4096, ge=16, description="tokens of a batch")
    accumulate: int = Field(1, ge=1, description="batches of an optimizer step, for which memory is too small at once")
    lr: float = Field(1e-3, gt=0, description="peak learning rate; 0.0001 by default with --model")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate of pre-training; the checkpoint keeps its own")

    causal: bool = Field(
        False, description="predict each next token from the earlier ones, for a small model that generates text"
    )
    mask_share: float = Field(0.2, ge=0.15, le=0.4, description="share of the tokens to predict")
    whole_words: bool = Field(False, description="predict all pieces of a word together")
    mask_only: bool = Field(
        False, description="replace all tokens to predict by [MASK]; by default 80 %, and 10 % by random ones"
    )

    measurements: int = Field(10, ge=1, description="how often the held-out texts are measured")
    patience: int = Field(10, ge=1, description="measurements without improvement before stopping")
    held_out_tokens: int = Field(100_000, ge=1, description="tokens of the held-out texts, at most about")
    probe: Path | None = Field(
        None, description="table of labelled texts: a linear classifier of frozen features is measured on half of it"
    )
    probe_rows: int = Field(1000, ge=20, description="rows of --probe to use, at most")
    label_column: str | None = Field(None, description="column of the label in --probe; detected by name by default")
    price_per_hour: float | None = Field(None, gt=0, description="price of an hour of this machine, for the cost")

    @model_validator(mode="before")
    @classmethod
    def _lower_rate(cls, given: Any) -> Any:
        """A trained encoder would forget at the rate that a fresh one needs."""
        if isinstance(given, dict) and given.get("model") is not None:
            return {"lr": CONTINUED_LR, **given}
        return given

    def of_the_loop(self, measurements: int) -> LoopSettings:
        """What the loop reads: its epochs are the steps between two measurements."""
        own = {name: getattr(self, name) for name in LoopSettings.model_fields}
        return LoopSettings(**{**own, "epochs": measurements})
