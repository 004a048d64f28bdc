"""A network as the files of a bundle: its checkpoint, and the graphs that have the checkpoint's weights."""

from __future__ import annotations

from pathlib import Path

from bertline.encoder.network import AnyNetwork, save_network
from bertline.export.exporter import write_embedding, write_fp32_engine
from bertline.export.inside import write_attentions
from bertline.tasks.contract import TaskSpec


def write_network(bundle: Path, network: AnyNetwork, spec: TaskSpec) -> None:
    """Write the checkpoint, the graph of the engine ``FP32``, that of embeddings and states, and that of attentions."""
    pairs = spec.pairs
    save_network(bundle, network, spec.labels, spec.problem_type)
    write_fp32_engine(bundle, network, pairs=pairs)
    write_embedding(bundle, network, pairs=pairs)
    write_attentions(bundle, network, pairs=pairs)
