"""HF checkpoints in and out: ``config.json`` and weights, for the bare encoder and for the classifier.

Reads checkpoints with and without the family's prefix (``bert.``), with the old ``gamma``/``beta`` names of
LayerNorm, and with heads that this project does not use, which are left aside. A missing, an unknown and a
wrongly shaped key are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import Module

from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder
from bertline.encoder.heads import Classifier, Pooling
from bertline.encoder.keys import (
    Table,
    classifier_table,
    encoder_table,
    output_table,
    pooler_table,
    to_checkpoint,
    to_ours,
)
from bertline.encoder.weights import read_tensors, write_tensors
from bertline.errors import CheckpointError

# Parts of published checkpoints that are not the encoder: masked-LM, next-sentence and question-answering
# heads, the pooler, the classification layers, and buffers that older versions saved.
_ASIDE = ("cls.", "vocab_", "qa_outputs.", "pooler.", "classifier.", "pre_classifier.")
_BUFFERS = ("position_ids", "token_type_ids")
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_ARCHITECTURE = {"bert": "Bert", "distilbert": "DistilBert"}
_SHOWN = 3


def read_config(directory: Path) -> tuple[EncoderConfig, dict[str, Any]]:
    """The encoder's shape and the whole content of ``config.json``.

    Raises:
        CheckpointError: no such file, not JSON, or not a BERT or DistilBERT configuration.
    """
    path = directory / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{directory} has no config.json: give a directory with an HF checkpoint") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}): copy it again from the model's source") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object: copy it again from the model's source")
    return EncoderConfig.from_hf(content, origin=str(path)), content


def load_encoder(directory: Path) -> Encoder:
    """The encoder of a checkpoint, without any head.

    Raises:
        CheckpointError: the files cannot be read, or the weights do not fit ``config.json``.
    """
    config, _ = read_config(directory)
    encoder = Encoder(config)
    _fill_encoder(encoder, _plain_names(read_tensors(directory), config), directory)
    return encoder


def load_pretrained(
    directory: Path, *, labels: int, pooling: Pooling = "cls", dropout: float | None = None
) -> Classifier:
    """A classifier to fine-tune: the checkpoint's encoder (and pooler, if there), a fresh output layer.

    Raises:
        CheckpointError: as ``load_encoder``.
    """
    config, _ = read_config(directory)
    if dropout is not None:
        config = config.with_dropout(dropout)
    classifier = Classifier(config, labels, pooling)
    tensors = _plain_names(read_tensors(directory), config)
    _fill_encoder(classifier.encoder, tensors, directory)
    pooler = _plain_table(pooler_table(config), config)
    if pooling == "cls" and all(name in tensors for names in pooler.values() for name in names):
        _fill(classifier.head, tensors, pooler, directory)
    return classifier


def load_classifier(directory: Path) -> Classifier:
    """A fine-tuned classifier, ours or one that ``transformers`` saved.

    Raises:
        CheckpointError: as ``load_encoder``, or the checkpoint has no classification layer.
    """
    config, content = read_config(directory)
    pooling: Pooling = "mean" if content.get("bertline_pooling") == "mean" else "cls"
    tensors = _plain_names(read_tensors(directory), config)
    head = output_table() if pooling == "mean" else {**pooler_table(config), **output_table()}
    table = _plain_table(head, config)
    _require(tensors, table.values(), directory, "classification head")
    classifier = Classifier(config, tensors["classifier.bias"].numel(), pooling)
    _fill_encoder(classifier.encoder, tensors, directory)
    _fill(classifier.head, tensors, table, directory)
    return classifier


def save_encoder(directory: Path, encoder: Encoder) -> None:
    """Write ``config.json`` and ``model.safetensors`` of the bare encoder, as ``AutoModel`` loads them."""
    config = encoder.config
    _write_config(directory, config, {"architectures": [f"{_ARCHITECTURE[config.family]}Model"]})
    _write_weights(directory, to_checkpoint(encoder.state_dict(), encoder_table(config)))


def save_classifier(directory: Path, classifier: Classifier, *, labels: Sequence[str]) -> None:
    """Write ``config.json`` and ``model.safetensors``, as ``AutoModelForSequenceClassification`` loads them.

    With mean pooling no class of ``transformers`` computes our logits: the architecture is then the bare
    encoder, which ``AutoModel`` loads, and ``bertline_pooling`` says how the head reads it.
    """
    config, mean = classifier.config, classifier.pooling == "mean"
    kind = "Model" if mean else "ForSequenceClassification"
    extra: dict[str, Any] = {
        "architectures": [f"{_ARCHITECTURE[config.family]}{kind}"],
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
        "problem_type": "single_label_classification",
    }
    if mean:
        extra["bertline_pooling"] = "mean"
    _write_config(directory, config, extra)
    _write_weights(
        directory,
        to_checkpoint(classifier.state_dict(), classifier_table(config, pooling=classifier.pooling)),
    )


def _write_config(directory: Path, config: EncoderConfig, extra: Mapping[str, Any]) -> None:
    content = {**config.to_hf(), **extra, "dtype": "float32"}
    (directory / "config.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_weights(directory: Path, tensors: Mapping[str, Tensor]) -> None:
    write_tensors(directory / "model.safetensors", tensors, {"format": "pt"})


def _plain_names(tensors: Mapping[str, Tensor], config: EncoderConfig) -> dict[str, Tensor]:
    """The same tensors by today's names and without the family's prefix."""
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        for old, new in _OLD_NAMES.items():
            name = name.replace(old, new)
        plain[name.removeprefix(f"{config.family}.")] = tensor
    return plain


def _plain_table(table: Mapping[str, tuple[str, ...]], config: EncoderConfig) -> dict[str, tuple[str, ...]]:
    return {ours: tuple(one.removeprefix(f"{config.family}.") for one in hf) for ours, hf in table.items()}


def _fill_encoder(encoder: Encoder, tensors: Mapping[str, Tensor], origin: Path) -> None:
    table = encoder_table(encoder.config)
    _require(tensors, table.values(), origin, "encoder")
    known = {name for names in table.values() for name in names}
    unknown = [
        name for name in tensors if name not in known and not name.startswith(_ASIDE) and not name.endswith(_BUFFERS)
    ]
    if unknown:
        raise CheckpointError(
            f"{origin} has weights that a {encoder.config.family} encoder of {encoder.config.layers} layers "
            f"does not know ({_some(unknown)}): its config.json is of another model"
        )
    _fill(encoder, tensors, table, origin)


def _fill(module: Module, tensors: Mapping[str, Tensor], table: Table, origin: Path) -> None:
    """Copy the table's tensors into ``module``; parameters that the table does not name stay as they are."""
    own = module.state_dict()
    for ours, names in table.items():
        rows, *rest = own[ours].shape
        expected = [rows // len(names), *rest]
        for name in names:
            if list(tensors[name].shape) != expected:
                raise CheckpointError(
                    f"{origin}: {name} has shape {list(tensors[name].shape)}, but config.json says "
                    f"{expected}: the weights and config.json are of different models"
                )
    module.load_state_dict(own | to_ours(tensors, table))


def _require(tensors: Mapping[str, Tensor], names: Iterable[tuple[str, ...]], origin: Path, part: str) -> None:
    missing = [one for group in names for one in group if one not in tensors]
    if missing:
        raise CheckpointError(
            f"{origin} lacks {len(missing)} weights of the {part} ({_some(missing)}): "
            "it is not a whole BERT or DistilBERT checkpoint of this kind"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
