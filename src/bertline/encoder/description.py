"""What distinguishes the families of encoders, as data: a description per ``model_type``.

The encoder reads these descriptions and never asks which family it computes. A further family is a further entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Family = Literal["bert", "distilbert", "roberta", "xlm-roberta", "camembert", "electra"]
Modules = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TextHead:
    """HF's head for texts: the first token → (dropout) → dense → activation → dropout → linear.

    Attributes:
        dense: checkpoint name of the dense layer.
        out: checkpoint name of the linear layer.
        activation: name in ``encoder.ACTIVATION``.
        drops_input: whether dropout also precedes the dense layer.
    """

    dense: str
    out: str
    activation: str
    drops_input: bool = False


@dataclass(frozen=True, slots=True)
class MaskedNames:
    """Checkpoint names of the masked-language-model head.

    Attributes:
        dense: the dense layer.
        norm: its LayerNorm.
        output: the module of the output matrix, which is tied to the token embeddings.
        bias: of the output.
        activation: name in ``encoder.ACTIVATION``; None is the encoder's.
    """

    dense: str
    norm: str
    output: str
    bias: str
    activation: str | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """One family of encoders.

    Attributes:
        architecture: how the names of its classes in ``transformers`` begin.
        prefix: of the encoder's names in a checkpoint with a head.
        entries: name in ``config.json`` of each field of ``EncoderConfig``; the other fields have one value.
        layer: checkpoint names of a layer's modules.
        layers: path of the layers.
        head: for texts.
        masked: the masked-language-model head.
        other_heads: prefixes of further heads, which are not read.
        defaults: values of ``EncoderConfig``, where they are not those of BERT-base.
        head_dropout: dropout of the head for texts that ``config.json`` may leave out; None is the encoder's.
        tokens_head_dropout: whether the head for tokens has the dropout of the one for texts, not the encoder's.
        causal: the name of the class of causal language models in ``transformers``, without ``architecture``.
        counts_positions: whether a token's position is its number among the tokens that are not padding, counted from
            ``pad_id`` + 1 (fairseq), not its place in the row.
    """

    architecture: str
    prefix: str
    entries: Mapping[str, str]
    layer: Modules
    layers: str
    head: TextHead
    masked: MaskedNames
    other_heads: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    head_dropout: float | None = None
    tokens_head_dropout: bool = True
    causal: str = "ForCausalLM"
    counts_positions: bool = False


_BERT_ENTRIES = {
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
    "causal": "is_decoder",
}
_BERT_LAYER: Modules = {
    "attention.qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.out": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "feed_forward_norm": ("output.LayerNorm",),
}


def _roberta(architecture: str) -> Description:
    """RoBERTa under one of its names (Liu et al. 2019, Conneau et al. 2020, Martin et al. 2020)."""
    return Description(
        architecture=architecture,
        prefix="roberta.",
        entries=_BERT_ENTRIES,
        layer=_BERT_LAYER,
        layers="encoder.layer",
        head=TextHead("classifier.dense", "classifier.out_proj", "tanh", drops_input=True),
        masked=MaskedNames("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias", "gelu"),
        other_heads=("lm_head.",),
        defaults={"pad_id": 1},
        counts_positions=True,
    )


DESCRIPTIONS: Mapping[Family, Description] = MappingProxyType(
    {
        "bert": Description(
            architecture="Bert",
            prefix="bert.",
            entries=_BERT_ENTRIES,
            layer=_BERT_LAYER,
            layers="encoder.layer",
            head=TextHead("bert.pooler.dense", "classifier", "tanh"),
            masked=MaskedNames(
                "cls.predictions.transform.dense",
                "cls.predictions.transform.LayerNorm",
                "cls.predictions.decoder",
                "cls.predictions.bias",
            ),
            other_heads=("cls.",),
            causal="LMHeadModel",
        ),
        "distilbert": Description(
            architecture="DistilBert",
            prefix="distilbert.",
            entries={
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
            },
            layer={
                "attention.qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
                "attention.out": ("attention.out_lin",),
                "attention_norm": ("sa_layer_norm",),
                "up": ("ffn.lin1",),
                "down": ("ffn.lin2",),
                "feed_forward_norm": ("output_layer_norm",),
            },
            layers="transformer.layer",
            head=TextHead("pre_classifier", "classifier", "relu"),
            masked=MaskedNames("vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias"),
            other_heads=("vocab_",),
            defaults={"segments": 0, "norm_eps": 1e-12},
            head_dropout=0.2,
            tokens_head_dropout=False,
        ),
        "roberta": _roberta("Roberta"),
        "xlm-roberta": _roberta("XLMRoberta"),
        "camembert": _roberta("Camembert"),
        "electra": Description(  # Clark et al. 2020
            architecture="Electra",
            prefix="electra.",
            entries={**_BERT_ENTRIES, "embedding": "embedding_size"},
            layer=_BERT_LAYER,
            layers="encoder.layer",
            head=TextHead("classifier.dense", "classifier.out_proj", "gelu", drops_input=True),
            masked=MaskedNames(
                "generator_predictions.dense",
                "generator_predictions.LayerNorm",
                "generator_lm_head",
                "generator_lm_head.bias",
                "gelu",
            ),
            other_heads=("discriminator_predictions.", "generator_", "sequence_summary."),
            defaults={"embedding": 128, "feed_forward": 1024},
        ),
    }
)
