"""A bundle for the task fill, from the checkpoint of a masked language model; nothing is trained."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from bertline.bundle import Manifest, check_target
from bertline.bundle.compose import Parts, compose
from bertline.bundle.engine import FULL
from bertline.bundle.probes import Probes, thinned
from bertline.data.batching import lay_out
from bertline.encoder.network import AnyNetwork, is_masked, load_network
from bertline.encoder.outputs import stacked
from bertline.encoder.source import find_model
from bertline.errors import CheckpointError, SettingsError
from bertline.export.exporter import FP32
from bertline.export.network_files import write_network
from bertline.tasks.fill.spec import Spec
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


def import_masked(checkpoint: str, out: Path, *, max_tokens: int | None = None, overwrite: bool = False) -> None:
    """Write the bundle ``out``: the checkpoint, its tokenizer, engines and probes.

    Args:
        checkpoint: a directory, an installed model or a name on the hub.
        out: the bundle.
        max_tokens: maximum tokens of a text; by default as many as the checkpoint has positions.
        overwrite: replace a bundle that is there.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is no masked language model.
        SettingsError: ``max_tokens`` is out of its range.
        BundleError: ``out`` is taken.
        DestinationError: the disk refused.
    """
    check_target(out, overwrite=overwrite)
    directory = find_model(checkpoint)
    if not is_masked(directory):
        raise CheckpointError(
            f"{directory} is not a masked language model (see architectures in its config.json): give one whose "
            "architecture ends with ForMaskedLM"
        )
    network, tokenizer = load_network(directory), Tokenizer.from_directory(directory)
    positions = network.config.max_tokens
    if max_tokens is not None and not SHORTEST_TOKENS <= max_tokens <= positions:
        raise SettingsError(
            f"max_tokens is {max_tokens:,} and {directory} has {positions:,} positions: give a number from "
            f"{SHORTEST_TOKENS} to {positions:,}"
        )
    spec, most = Spec(), max_tokens or positions
    manifest = Manifest(
        name=out.name,
        task=spec,
        max_tokens=most,
        truncation="window",
        pooling="none",
        data={"source": "none: the checkpoint was imported as it is"},
        lineage={"base_model": directory.name if Path(checkpoint).is_dir() else checkpoint},
        engines=(FP32.model_copy(update={"outputs": (network.output,)}),),
    )
    parts = Parts(
        network=partial(write_network, network=network, spec=spec),
        tokenizer=tokenizer,
        probes=_probes(network, tokenizer, most),
    )
    compose(out, manifest, parts, overwrite=overwrite)


def _probes(network: AnyNetwork, tokenizer: Tokenizer, max_tokens: int) -> Probes:
    """A few sentences with the network's scores, by which a loader checks an engine."""
    texts = tuple(text.replace("[MASK]", tokenizer.mask) for text in _PROBES)
    readings = Reader(tokenizer, Truncation(max_tokens, "window")).read(texts)
    batch = lay_out([piece for reading in readings for piece in reading.pieces], tokenizer.pad_id)
    with torch.inference_mode():
        scores = network.eval()(*to_device(batch, torch.device("cpu"))).numpy()
    return Probes(texts, {FULL: thinned(network.output, stacked(network.output, scores, readings))}, network.output)
