"""A network as the files of a bundle: its checkpoint, and the graphs that have the checkpoint's weights."""

from __future__ import annotations

from pathlib import Path

from bertline.encoder.checkpoint import save_classifier
from bertline.encoder.heads import Classifier
from bertline.export.exporter import write_embedding, write_fp32_engine
from bertline.tasks.contract import TaskSpec


def write_network(bundle: Path, classifier: Classifier, spec: TaskSpec) -> None:
    """Write the checkpoint, the graph of the engine ``FP32`` and that of embeddings and states."""
    pairs = spec.pairs
    save_classifier(bundle, classifier, labels=spec.labels, problem_type=spec.problem_type)
    write_fp32_engine(bundle, classifier, pairs=pairs)
    write_embedding(bundle, classifier, pairs=pairs)
