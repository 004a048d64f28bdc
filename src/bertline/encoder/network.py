"""The network of a checkpoint: an embedder, or the classifier or masked language model that ``config.json`` names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bertline.encoder.checkpoint import load_classifier, read_config, save_classifier
from bertline.encoder.embedder import Embedder, load_embedder, save_embedder
from bertline.encoder.heads import Classifier
from bertline.encoder.masked import MaskedLanguageModel, load_masked, save_masked
from bertline.encoder.sentence import is_sentence_model
from bertline.errors import CheckpointError
from bertline.text import Tokenizer

TextNetwork = Classifier | Embedder  # what rows of a table train
AnyNetwork = TextNetwork | MaskedLanguageModel


def is_masked(directory: Path) -> bool:
    """Whether ``config.json`` names a masked language model.

    Raises:
        CheckpointError: it cannot be read.
    """
    _, content = read_config(directory)
    return str((content.get("architectures") or [""])[0]).endswith("ForMaskedLM")


def load_network(directory: Path) -> AnyNetwork:
    """The network of a checkpoint; a masked language model computes the [MASK] tokens of the tokenizer beside it.

    Raises:
        CheckpointError: as ``load_classifier``, ``load_masked`` or ``load_embedder``, or a masked language model has no
            head.
    """
    if is_sentence_model(directory):
        return load_embedder(directory)
    return load_filling(directory) if is_masked(directory) else load_classifier(directory)


def load_filling(directory: Path) -> MaskedLanguageModel:
    """The masked language model of a checkpoint, which computes the [MASK] tokens of the tokenizer beside it.

    Raises:
        CheckpointError: as ``load_masked``, or it has no head.
    """
    model, has_head = load_masked(directory)
    if not has_head:
        raise CheckpointError(
            f"{directory} has no masked-language-model head, so it cannot fill in words: give a checkpoint that has "
            "one, or pre-train this one first"
        )
    model.mask_id = Tokenizer.from_bundle(directory).mask_id
    return model


def load_causal(directory: Path) -> MaskedLanguageModel:
    """The causal language model of a checkpoint.

    Raises:
        CheckpointError: as ``load_masked``, or it is not causal.
    """
    read_config(directory, causal=True)
    return load_masked(directory, causal=True)[0].eval()


def save_network(directory: Path, network: AnyNetwork, labels: Sequence[str], problem_type: str | None) -> None:
    """Write ``config.json`` and ``model.safetensors``; labels are a classifier's."""
    if isinstance(network, Classifier):
        save_classifier(directory, network, labels=labels, problem_type=problem_type)
    elif isinstance(network, MaskedLanguageModel):
        save_masked(directory, network)
    else:
        save_embedder(directory, network)
