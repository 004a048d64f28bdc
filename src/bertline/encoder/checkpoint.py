"""Read and write HF checkpoints: ``config.json`` and weights of the bare encoder and of the classifier.

Other weights beside the encoder are ignored (``names``). An error names any missing, unknown or misshapen weight.
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
    head_table,
    to_checkpoint,
    to_ours,
)
from bertline.encoder.names import StateDict, plain_names, some
from bertline.encoder.weights import read_tensors, write_tensors
from bertline.errors import CheckpointError

OWN_POOLINGS: tuple[Pooling, ...] = ("mean", "normalised")  # whose heads no class of `transformers` has
_KIND: Mapping[Pooling, str] = {
    "cls": "ForSequenceClassification",
    "mean": "Model",
    "normalised": "Model",
    "none": "ForTokenClassification",
}


def read_config(directory: Path, *, causal: bool | None = False) -> tuple[EncoderConfig, dict[str, Any]]:
    """The encoder's configuration and the whole content of ``config.json``.

    Args:
        directory: of the checkpoint.
        causal: whether it must be a causal language model; None takes both.

    Raises:
        CheckpointError: no such file, not JSON, not of a family that bertline reads, or causal where it must not be,
            or not where it must.
    """
    path = directory / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{directory} has no config.json: give a directory with an HF checkpoint") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}): copy it again from the model's source") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not a JSON object: copy it again from the model's source")
    config = EncoderConfig.from_hf(content, origin=str(path))
    if causal is False and config.causal:
        raise CheckpointError(
            f"{directory} is a causal language model (is_decoder in config.json), in which a token sees only earlier "
            "ones: give an encoder that reads both ways"
        )
    if causal and not config.causal:
        raise CheckpointError(
            f"{directory} is not a causal language model (is_decoder in config.json): give one that "
            "bertline pretrain --causal wrote"
        )
    return config, content


def load_encoder(directory: Path) -> Encoder:
    """The encoder of a checkpoint, without any head.

    Raises:
        CheckpointError: the files cannot be read, or the weights do not match ``config.json``.
    """
    config, _ = read_config(directory)
    encoder = Encoder(config)
    fill_encoder(encoder, plain_names(read_tensors(directory), config, directory))
    return encoder


def load_pretrained(
    directory: Path, *, labels: int, pooling: Pooling = "cls", dropout: float | None = None
) -> Classifier:
    """A classifier to fine-tune: the checkpoint's encoder (and pooler, if present) with a new output layer.

    Raises:
        CheckpointError: as ``load_encoder``.
    """
    config, content = read_config(directory)
    if dropout is not None:
        config = config.with_dropout(dropout)
    classifier = Classifier(config, labels, pooling)
    state = plain_names(read_tensors(directory), config, directory)
    fill_encoder(classifier.encoder, state)
    tensors = state.tensors
    _require_labels(content, config, tensors, directory)
    table = _plain_table(head_table(config, pooling="cls"), config)
    dense = {ours: names for ours, names in table.items() if ours.startswith("dense.")}
    if pooling == "cls" and all(name in tensors for names in dense.values() for name in names):
        fill(classifier.head, tensors, dense, directory)
    return classifier


def load_classifier(directory: Path) -> Classifier:
    """A fine-tuned classifier, saved by bertline or by ``transformers``.

    Raises:
        CheckpointError: as ``load_encoder``, or the checkpoint has no classification layer.
    """
    config, content = read_config(directory)
    pooling = _pooling(content)
    state = plain_names(read_tensors(directory), config, directory)
    tensors = state.tensors
    table = _plain_table(head_table(config, pooling=pooling), config)
    require(tensors, table.values(), directory, "classification head")
    _require_labels(content, config, tensors, directory)
    classifier = Classifier(config, tensors[table["out.bias"][0]].numel(), pooling)
    fill_encoder(classifier.encoder, state)
    fill(classifier.head, tensors, table, directory)
    return classifier


def save_encoder(directory: Path, encoder: Encoder) -> None:
    """Write ``config.json`` and ``model.safetensors`` of the bare encoder, as ``AutoModel`` loads them."""
    config = encoder.config
    write_checkpoint(directory, config, "Model", {}, to_checkpoint(encoder.state_dict(), encoder_table(config)))


def save_classifier(
    directory: Path,
    classifier: Classifier,
    *,
    labels: Sequence[str],
    problem_type: str | None = "single_label_classification",
) -> None:
    """Write ``config.json`` and ``model.safetensors``, as HF's classes for sequence or token classification load them.

    No ``transformers`` class computes the logits of pooled states: the architecture is then the bare encoder,
    which ``AutoModel`` loads, and ``bertline_pooling`` names the pooling.
    """
    config, pooling = classifier.config, classifier.pooling
    extra: dict[str, Any] = {
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
    }
    if pooling != "none":
        extra["problem_type"] = problem_type
    if problem_type == "regression":  # else its CrossEncoder gives the sigmoid of the number
        extra["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    if pooling in OWN_POOLINGS:
        extra["bertline_pooling"] = pooling
    tensors = to_checkpoint(classifier.state_dict(), classifier_table(config, pooling=pooling))
    write_checkpoint(directory, config, _KIND[pooling], extra, tensors)


def write_checkpoint(
    directory: Path, config: EncoderConfig, kind: str, extra: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write ``config.json`` and ``model.safetensors``.

    Args:
        directory: must exist.
        config: of the encoder.
        kind: the name of the class in ``transformers``, without its family: ``Model``, ``ForMaskedLM``.
        extra: further entries of ``config.json``.
        tensors: by their names in checkpoints.
    """
    architectures = {"architectures": [f"{config.description.architecture}{kind}"]}
    content = {**config.to_hf(), **architectures, **extra, "dtype": "float32"}
    (directory / "config.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_tensors(directory / "model.safetensors", tensors, {"format": "pt"})


def _pooling(config: Mapping[str, Any]) -> Pooling:
    """The pooling of a checkpoint's head."""
    own: Pooling | None = config.get("bertline_pooling")
    if own in OWN_POOLINGS:
        return own
    architectures = config.get("architectures") or [""]
    return "none" if str(architectures[0]).endswith(_KIND["none"]) else "cls"


def _plain_table(table: Mapping[str, tuple[str, ...]], config: EncoderConfig) -> dict[str, tuple[str, ...]]:
    return {ours: tuple(one.removeprefix(config.description.prefix) for one in hf) for ours, hf in table.items()}


def fill_encoder(encoder: Encoder, state: StateDict) -> None:
    """Copy a checkpoint's weights into ``encoder``.

    Raises:
        CheckpointError: a weight is missing, unknown or of another shape.
    """
    table = encoder_table(encoder.config)
    require(state.encoder, table.values(), state.origin, "encoder")
    state.require_only((name for names in table.values() for name in names), encoder.config)
    fill(encoder, state.encoder, table, state.origin)


def fill(module: Module, tensors: Mapping[str, Tensor], table: Table, origin: Path) -> None:
    """Copy the table's tensors into ``module``; other parameters stay unchanged.

    Raises:
        CheckpointError: a weight is quantised or of another shape.
    """
    own = module.state_dict()
    for ours, names in table.items():
        rows, *rest = own[ours].shape
        expected = [rows // len(names), *rest]
        for name in names:
            if not tensors[name].is_floating_point():
                kind = str(tensors[name].dtype).removeprefix("torch.")
                raise CheckpointError(
                    f"{origin}: {name} has the type {kind}, so it is quantised: use the original checkpoint"
                )
            if list(tensors[name].shape) != expected:
                raise CheckpointError(
                    f"{origin}: {name} has shape {list(tensors[name].shape)}, but config.json says "
                    f"{expected}: the weights and config.json belong to different models"
                )
    module.load_state_dict(own | to_ours(tensors, table))


def _require_labels(
    content: Mapping[str, Any], config: EncoderConfig, tensors: Mapping[str, Tensor], origin: Path
) -> None:
    """Check that the classification layer, if there is one, has a row for each label of ``config.json``."""
    names = content.get("id2label")
    labels = len(names) if isinstance(names, dict) else content.get("num_labels")
    for pooling in ("cls", "mean"):
        (name,) = head_table(config, pooling=pooling)["out.bias"]
        bias = tensors.get(name)
        if bias is not None and labels is not None and bias.numel() != labels:
            raise CheckpointError(
                f"{origin}: config.json has {labels} labels, but {name} has {bias.numel()} entries: "
                "the weights and config.json belong to different models"
            )


def require(tensors: Mapping[str, Tensor], names: Iterable[tuple[str, ...]], origin: Path, part: str) -> None:
    """Check that a checkpoint has every weight of a part.

    Raises:
        CheckpointError: one is missing.
    """
    missing = [one for group in names for one in group if one not in tensors]
    if missing:
        raise CheckpointError(
            f"{origin} lacks {len(missing)} weights of the {part} ({some(missing)}): "
            "use a complete checkpoint of this kind"
        )
