"""Small random models of transformers, ours with the same weights, and batches to give to both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers.utils import logging

from bertline.encoder.config import ACTIVATIONS, EncoderConfig
from bertline.encoder.description import DESCRIPTIONS
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import Classifier, Pooling
from bertline.encoder.keys import classifier_table, encoder_table, to_ours

logging.disable_progress_bar()

FAMILIES = tuple(DESCRIPTIONS)


@dataclass(frozen=True)
class Sample:
    """One batch, padded on the right; every text has at least one real token."""

    ids: Tensor
    attend: Tensor
    segments: Tensor

    def hf(self, *, segments: bool = False) -> dict[str, Tensor]:
        """The same in the names of transformers."""
        named = {"input_ids": self.ids, "attention_mask": self.attend.long()}
        return named | ({"token_type_ids": self.segments} if segments else {})


@st.composite
def hf_configs(draw: st.DrawFn, family: str, attention: str = "eager") -> Any:
    """A configuration of transformers, with every size small and none like another by rule."""
    heads = draw(st.integers(1, 4))
    values = {
        "vocab_size": draw(st.integers(8, 40)),
        "hidden": heads * draw(st.sampled_from([4, 6, 8]) if heads > 1 else st.sampled_from([8, 9])),
        "heads": heads,
        "layers": draw(st.integers(1, 3)),
        "feed_forward": draw(st.integers(1, 40)),
        "max_positions": draw(st.integers(6, 12)),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "segments": draw(st.integers(1, 3)),
        "norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "pad_id": draw(st.integers(0, 3)),
        "embedding": draw(st.integers(4, 10)),
    }
    return hf_config(family, values, attn_implementation=attention)


def hf_config(family: str, values: Mapping[str, Any], **more: Any) -> Any:
    """The configuration of transformers with our ``values``, as far as the family's ``config.json`` has them."""
    entries = DESCRIPTIONS[family].entries  # type: ignore[index]
    return AutoConfig.for_model(
        family, **{entries[name]: one for name, one in values.items() if name in entries}, **more
    )


@st.composite
def samples(draw: st.DrawFn, config: Any) -> Sample:
    """A batch that fits the configuration."""
    counted = DESCRIPTIONS[config.model_type].counts_positions
    most = config.max_position_embeddings - (config.pad_token_id + 1 if counted else 0)
    lengths = draw(st.lists(st.integers(1, most), min_size=1, max_size=4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    shape = (len(lengths), max(lengths))
    attend = torch.arange(shape[1])[None, :] < torch.tensor(lengths)[:, None]
    ids = torch.randint(config.vocab_size, shape, generator=generator)
    segments = torch.randint(getattr(config, "type_vocab_size", 1), shape, generator=generator)
    return Sample(ids.masked_fill(~attend, config.pad_token_id), attend, segments)


def hf_encoder(config: Any) -> Any:
    """A transformers encoder without pooler and with wide random weights, in evaluation mode."""
    model = AutoModel.from_config(config)
    if hasattr(model, "pooler"):
        model.pooler = None
    return widen(model)


def hf_classifier(config: Any, labels: int) -> Any:
    """A transformers classifier with wide random weights, in evaluation mode."""
    config.num_labels = labels
    return widen(AutoModelForSequenceClassification.from_config(config))


def hf_tagger(config: Any, labels: int) -> Any:
    """A transformers token classifier with wide random weights, in evaluation mode."""
    config.num_labels = labels
    return widen(AutoModelForTokenClassification.from_config(config))


def hf_masked(config: Any) -> Any:
    """A masked language model of transformers with wide random weights, in evaluation mode."""
    return widen(AutoModelForMaskedLM.from_config(config))


def widen(model: nn.Module) -> nn.Module:
    """Weights of a trained model's scale, norms that are not ones and zeros; a padding row that is not zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean = 1.0 if "norm.weight" in name.lower() else 0.0
            parameter.normal_(mean, 0.3, generator=generator)
    return model.eval()


def our_encoder(model: Any) -> Encoder:
    """Our encoder with the weights of a transformers encoder."""
    config = EncoderConfig.from_hf(model.config.to_dict())
    encoder = Encoder(config)
    encoder.load_state_dict(to_ours(model.state_dict(), encoder_table(config)))
    return encoder.eval()


def our_classifier(model: Any, labels: int, pooling: Pooling = "cls") -> Classifier:
    """Our classifier with the weights of a transformers classifier of texts, or (pooling none) of tokens."""
    config = EncoderConfig.from_hf(model.config.to_dict())
    classifier = Classifier(config, labels, pooling)
    classifier.load_state_dict(to_ours(model.state_dict(), classifier_table(config, pooling=pooling)))
    return classifier.eval()


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """The gradient of every parameter; each has one."""
    grads = {name: parameter.grad for name, parameter in model.named_parameters(remove_duplicate=False)}
    assert all(grad is not None for grad in grads.values())
    return {name: grad for name, grad in grads.items() if grad is not None}


def weights_like(tensor: Tensor) -> Tensor:
    """Fixed random weights: their products with ``tensor`` sum to a loss that every entry moves."""
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1))
