"""An encoder's configuration, and the tables that map it to HF's two forms of ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bertline.encoder.description import DESCRIPTIONS, Description
from bertline.encoder.description import Family as Family
from bertline.encoder.family import family_of
from bertline.errors import CheckpointError

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu")
# Synonyms in transformers.activations; gelu_fast rounds √(2/π) to ten digits.
_SYNONYMS = {
    "gelu_python": "gelu",
    "gelu_fast": "gelu_new",
    "gelu_accurate": "gelu_new",
    "gelu_python_tanh": "gelu_new",
    "swish": "silu",
}

_LEAST = {"vocab_size": 1, "hidden": 1, "layers": 1, "heads": 1, "feed_forward": 1, "max_positions": 1}
_LEAST |= {"segments": 0, "pad_id": 0, "embedding": 1}
_RATES = ("dropout", "attention_dropout", "classifier_dropout", "norm_eps", "init_std")
_MAY_BE_NULL = ("pad_id", "classifier_dropout", "causal")  # null is the default

# Settings of HF configurations that change the computation, with the only values that this encoder supports.
_FIXED: dict[str, tuple[object, ...]] = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),  # of a family that has no causal language model
    "add_cross_attention": (False, None),
}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Dimensions and rates of one encoder; the defaults are BERT-base (Devlin et al. 2019).

    ``segments`` is 0 for DistilBERT, which has no segment embeddings (Sanh et al. 2019). ``embedding`` is the width of
    ELECTRA's embeddings, which it projects to the hidden size (Clark et al. 2020); None is the hidden size itself.
    With ``causal``, each token sees only itself and earlier ones.
    """

    family: Family = "bert"
    vocab_size: int = 30522
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    max_positions: int = 512
    segments: int = 2
    activation: str = "gelu"
    norm_eps: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1
    classifier_dropout: float | None = None
    pad_id: int = 0
    init_std: float = 0.02
    embedding: int | None = None
    causal: bool = False

    def __post_init__(self) -> None:
        for name in asdict(self).keys() - self.description.entries.keys() - {"family"}:
            value, only = getattr(self, name), self._default(name)
            if value != only:
                raise CheckpointError(
                    f"a {self.description.architecture} encoder has a value of {only!r} for {name}, which its "
                    f"config.json cannot change: {value!r} would be lost"
                )
        if self.hidden % self.heads:
            raise CheckpointError(
                f"the model's hidden size {self.hidden} is not a multiple of its {self.heads} attention heads: "
                "its config.json does not describe such an encoder"
            )
        if self.activation not in ACTIVATIONS:
            raise CheckpointError(
                f"the model's activation is {self.activation!r}: bertline supports {', '.join(ACTIVATIONS)}"
            )

    def _default(self, name: str) -> Any:
        own = type(self).__dataclass_fields__[name].default
        return self.description.defaults.get(name, own)

    @property
    def description(self) -> Description:
        """What distinguishes the family."""
        return DESCRIPTIONS[self.family]

    @property
    def max_tokens(self) -> int:
        """Most tokens of a text: those that have a position."""
        return self.max_positions - self.first_position

    @property
    def first_position(self) -> int:
        """Position of the first token."""
        return self.pad_id + 1 if self.description.counts_positions else 0

    @property
    def embedding_width(self) -> int:
        """Width of the embeddings; if it is not the hidden size, they are projected."""
        return self.hidden if self.embedding is None else self.embedding

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def head_dropout(self) -> float:
        """Dropout before the classification layer; the default depends on the family."""
        own = self.description.head_dropout
        rates = (self.classifier_dropout, own, self.dropout)
        return next(one for one in rates if one is not None)

    @property
    def tokens_dropout(self) -> float:
        """Dropout before the classification of tokens."""
        return self.head_dropout if self.description.tokens_head_dropout else self.dropout

    def with_dropout(self, rate: float) -> EncoderConfig:
        """The same configuration with one dropout rate everywhere."""
        return replace(self, dropout=rate, attention_dropout=rate, classifier_dropout=rate)

    @classmethod
    def from_hf(cls, config: Mapping[str, Any], *, origin: str = "config.json") -> EncoderConfig:
        """Read the content of an HF ``config.json``.

        Raises:
            CheckpointError: another architecture, an unsupported setting, or an entry that is missing or out of
                range.
        """
        family = family_of(config, origin)
        names, defaults = DESCRIPTIONS[family].entries, DESCRIPTIONS[family].defaults
        for name, allowed in _FIXED.items():
            if name in config and name not in names.values() and config[name] not in allowed:
                raise CheckpointError(
                    f"{origin} sets {name} to {config[name]!r}: bertline supports only {allowed[0]!r}"
                )
        values = {ours: config[hf] for ours, hf in names.items() if hf in config}
        missing = [names[name] for name in ("vocab_size", "hidden", "layers", "heads") if name not in values]
        if missing:
            raise CheckpointError(f"{origin} lacks {', '.join(missing)}: copy it again from the model's source")
        values = {
            ours: _checked(ours, value, names[ours], origin)
            for ours, value in values.items()
            if value is not None or ours not in _MAY_BE_NULL
        }
        values = {**defaults, **values}
        if values.get("pad_id", 0) >= values["vocab_size"]:
            raise CheckpointError(
                f"{origin} sets pad_token_id to {values['pad_id']}, but its tokens are "
                f"0 to {values['vocab_size'] - 1}: copy it again from the model's source"
            )
        return cls(family=family, **values)

    def to_hf(self) -> dict[str, Any]:
        """The entries of ``config.json`` for this encoder, in its family's names."""
        # Like transformers, which writes no entry of a bidirectional encoder.
        values = asdict(self) | {"embedding": self.embedding_width, "causal": self.causal or None}
        ours = {name: value for name, value in values.items() if value is not None}
        return {"model_type": self.family} | {
            hf: ours[name] for name, hf in self.description.entries.items() if name in ours
        }


def _checked(name: str, value: Any, hf: str, origin: str) -> Any:
    if name == "activation":
        return _SYNONYMS.get(value, value) if isinstance(value, str) else value
    if name in _LEAST and not (type(value) is int and value >= _LEAST[name]):
        raise CheckpointError(f"{origin} sets {hf} to {value!r}: it must be a whole number of at least {_LEAST[name]}")
    if name == "causal" and not isinstance(value, bool):
        raise CheckpointError(f"{origin} sets {hf} to {value!r}: it must be true or false")
    if name not in _RATES:
        return value
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise CheckpointError(f"{origin} sets {hf} to {value!r}: it must be a number from 0 to below 1")
    return float(value)
