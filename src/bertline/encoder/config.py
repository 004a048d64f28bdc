"""An encoder's configuration, and the tables that map it to HF's two forms of ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bertline.encoder.family import Family as Family
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

_BERT = {
    "vocab_size": "vocab_size",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "feed_forward": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "segments": "type_vocab_size",
    "activation": "hidden_act",
    "norm_eps": "layer_norm_eps",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "classifier_dropout": "classifier_dropout",
    "pad_id": "pad_token_id",
    "init_std": "initializer_range",
}
_DISTILBERT = {
    "vocab_size": "vocab_size",
    "hidden": "dim",
    "layers": "n_layers",
    "heads": "n_heads",
    "feed_forward": "hidden_dim",
    "max_positions": "max_position_embeddings",
    "activation": "activation",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "classifier_dropout": "seq_classif_dropout",
    "pad_id": "pad_token_id",
    "init_std": "initializer_range",
}
_DISTILBERT_EPS = 1e-12  # not in its config.json
_NAMES: dict[Family, dict[str, str]] = {"bert": _BERT, "distilbert": _DISTILBERT}

_LEAST = {"vocab_size": 1, "hidden": 1, "layers": 1, "heads": 1, "feed_forward": 1, "max_positions": 1}
_LEAST |= {"segments": 0, "pad_id": 0}
_RATES = ("dropout", "attention_dropout", "classifier_dropout", "norm_eps", "init_std")
_MAY_BE_NULL = {"pad_id": 0, "classifier_dropout": None}

# Settings of HF configurations that change the computation, with the only values that this encoder supports.
_FIXED: dict[str, tuple[object, ...]] = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Dimensions and rates of one encoder; the defaults are BERT-base (Devlin et al. 2019).

    ``segments`` is 0 for DistilBERT, which has no segment embeddings (Sanh et al. 2019).
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

    def __post_init__(self) -> None:
        if self.family == "distilbert" and self.segments:
            raise CheckpointError("a DistilBERT encoder has no segment embeddings: set segments=0")
        if self.family == "distilbert" and self.norm_eps != _DISTILBERT_EPS:
            raise CheckpointError(f"a DistilBERT encoder has a norm_eps of {_DISTILBERT_EPS:g}: omit norm_eps")
        if self.hidden % self.heads:
            raise CheckpointError(
                f"the model's hidden size {self.hidden} is not a multiple of its {self.heads} attention heads: "
                "its config.json does not describe a BERT encoder"
            )
        if self.activation not in ACTIVATIONS:
            raise CheckpointError(
                f"the model's activation is {self.activation!r}: bertline supports {', '.join(ACTIVATIONS)}"
            )

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def head_dropout(self) -> float:
        """Dropout before the classification layer; the default depends on the family."""
        if self.classifier_dropout is not None:
            return self.classifier_dropout
        return 0.2 if self.family == "distilbert" else self.dropout

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
        for name, allowed in _FIXED.items():
            if config.get(name) not in allowed and name in config:
                raise CheckpointError(
                    f"{origin} sets {name} to {config[name]!r}: bertline supports only {allowed[0]!r}"
                )
        names = _NAMES[family]
        values = {ours: config[hf] for ours, hf in names.items() if hf in config}
        missing = [names[name] for name in ("vocab_size", "hidden", "layers", "heads") if name not in values]
        if missing:
            raise CheckpointError(f"{origin} lacks {', '.join(missing)}: copy it again from the model's source")
        values = {ours: _checked(ours, value, names[ours], origin) for ours, value in values.items()}
        if values.get("pad_id", 0) >= values["vocab_size"]:
            raise CheckpointError(
                f"{origin} sets pad_token_id to {values['pad_id']}, but its tokens are "
                f"0 to {values['vocab_size'] - 1}: copy it again from the model's source"
            )
        return cls(family=family, **({"segments": 0} if family == "distilbert" else {}) | values)

    def to_hf(self) -> dict[str, Any]:
        """The entries of ``config.json`` for this encoder, in its family's names."""
        ours = {name: value for name, value in asdict(self).items() if value is not None}
        return {"model_type": self.family} | {
            hf: ours[name] for name, hf in _NAMES[self.family].items() if name in ours
        }


def _checked(name: str, value: Any, hf: str, origin: str) -> Any:
    if value is None and name in _MAY_BE_NULL:
        return _MAY_BE_NULL[name]
    if name == "activation":
        return _SYNONYMS.get(value, value) if isinstance(value, str) else value
    if name in _LEAST and not (type(value) is int and value >= _LEAST[name]):
        raise CheckpointError(f"{origin} sets {hf} to {value!r}: it must be a whole number of at least {_LEAST[name]}")
    if name not in _RATES:
        return value
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise CheckpointError(f"{origin} sets {hf} to {value!r}: it must be a number from 0 to below 1")
    return float(value)
