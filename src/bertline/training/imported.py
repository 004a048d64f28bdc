"""A bundle of a published checkpoint that answers as it is: a masked language model or an embedder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from bertline.bundle import Manifest, check_target
from bertline.bundle.compose import Parts, compose
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes, thinned
from bertline.data.batching import lay_out
from bertline.encoder.embedder import Embedder
from bertline.encoder.network import AnyNetwork, is_masked, load_network
from bertline.encoder.outputs import stacked
from bertline.encoder.sentence import is_sentence_model, read_modules
from bertline.encoder.source import find_model
from bertline.errors import CheckpointError, SettingsError
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import Spec as Embeds
from bertline.tasks.fill.spec import Spec as Fills
from bertline.text import Reader, Tokenizer, Truncation
from bertline.text.truncation import SHORTEST_TOKENS
from bertline.training.device import to_device

_PROBES = (
    "The capital of France is [MASK].",
    "[MASK] is the largest planet.",
    "I had [MASK] and toast for breakfast.",
    "She [MASK] the door and went out into the rain.",
    "The film was [MASK].",
    "They have lived in [MASK] since the end of the war, and they do not want to move again.",
    "He plays the [MASK] in a small [MASK].",
    "[MASK]",
    "On Monday the price of [MASK] rose by 3 % to its highest level in ten years.",
    "Water boils at 100 [MASK].",
    "Please send the [MASK] again, because the first one never arrived.",
    "The [MASK] said that he would [MASK] the case as soon as the court had heard all of the witnesses.",
)


def import_checkpoint(
    checkpoint: str, out: Path, *, max_tokens: int | None = None, overwrite: bool = False
) -> TaskSpec:
    """Write the bundle ``out``: the checkpoint, its tokenizer, engines and probes.

    Args:
        checkpoint: a directory, an installed model or a name on the hub.
        out: the bundle.
        max_tokens: maximum tokens of a text; by default as many as the checkpoint says or has positions.
        overwrite: replace a bundle that is there.

    Returns:
        What the bundle does.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is neither a masked language model nor an embedder.
        SettingsError: ``max_tokens`` is out of its range.
        BundleError: ``out`` is taken.
        DestinationError: the disk refused.
    """
    check_target(out, overwrite=overwrite)
    directory = find_model(checkpoint)
    network, tokenizer = _network(directory), Tokenizer.from_directory(directory)
    truncation = _truncation(network, directory, max_tokens)
    spec = Embeds(normalised=network.normalised) if isinstance(network, Embedder) else Fills()
    manifest = Manifest(
        name=out.name,
        task=spec,
        max_tokens=truncation.max_tokens,
        truncation=truncation.policy,
        pooling="none" if network.output == "vocabulary" else network.pooling,
        data={"source": "none: the checkpoint was imported as it is"},
        lineage={"base_model": directory.name if Path(checkpoint).is_dir() else checkpoint},
        engines=(FP32.model_copy(update={"outputs": (network.output,)}),),
    )
    parts = Parts(
        network=partial(write_network, network=network, spec=spec),
        tokenizer=tokenizer,
        probes=_probes(network, tokenizer, truncation),
    )
    compose(out, manifest, parts, overwrite=overwrite)
    return spec.with_tokenizer(tokenizer)


def _network(directory: Path) -> AnyNetwork:
    if is_sentence_model(directory) or is_masked(directory):
        return load_network(directory)
    raise CheckpointError(
        f"{directory} is neither a masked language model (architectures in its config.json) nor a model of "
        "sentence-transformers (modules.json): give one whose architecture ends with ForMaskedLM, or an embedder"
    )


def _truncation(network: AnyNetwork, directory: Path, max_tokens: int | None) -> Truncation:
    """How long texts are read: by an embedder as ``sentence-transformers`` reads them, else in windows."""
    positions = network.config.max_tokens
    if max_tokens is not None and not SHORTEST_TOKENS <= max_tokens <= positions:
        raise SettingsError(
            f"max_tokens is {max_tokens:,} and {directory} has {positions:,} positions: give a number from "
            f"{SHORTEST_TOKENS} to {positions:,}"
        )
    if not isinstance(network, Embedder):
        return Truncation(max_tokens or positions, "window")
    own = read_modules(directory, network.dimensions).max_tokens or positions
    return Truncation(max_tokens or min(own, positions), "head")


def _probes(network: AnyNetwork, tokenizer: Tokenizer, truncation: Truncation) -> Probes:
    """A few sentences with the network's output, by which a loader checks an engine."""
    word = tokenizer.mask if network.output == "vocabulary" else "something"
    texts = tuple(text.replace("[MASK]", word) for text in _PROBES)
    readings = Reader(tokenizer, truncation).read(texts)
    batch = lay_out([piece for reading in readings for piece in reading.pieces], tokenizer.pad_id)
    with torch.inference_mode():
        outputs = network.eval()(*to_device(batch, torch.device("cpu"))).numpy()
    return Probes(texts, {FULL: thinned(network.output, stacked(network.output, outputs, readings))}, network.output)
