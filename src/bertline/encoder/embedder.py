"""An encoder whose output is an embedding of each text; its checkpoints are models of ``sentence-transformers``.

Source: Reimers and Gurevych 2019.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor, nn

from bertline.encoder.checkpoint import fill, fill_encoder, load_encoder, read_config, require, save_encoder
from bertline.encoder.config import EncoderConfig
from bertline.encoder.encoder import Encoder, initialise
from bertline.encoder.heads import Attend, States, mean_pool
from bertline.encoder.keys import Table, encoder_table
from bertline.encoder.names import plain_names
from bertline.encoder.sentence import DENSE, SentencePooling, is_sentence_model, read_modules, write_modules
from bertline.encoder.weights import read_tensors, write_tensors

_DENSE: Table = {f"dense.{part}": (f"linear.{part}",) for part in ("weight", "bias")}


class Pool(nn.Module):
    """The mean of the real tokens' states (``mean``), the first one (``cls``), or that → dense → tanh (``pooled``)."""

    def __init__(self, config: EncoderConfig, pooling: SentencePooling) -> None:
        super().__init__()
        self.pooling = pooling
        self.dense = nn.Linear(config.hidden, config.hidden) if pooling == "pooled" else nn.Identity()

    def forward(self, states: States, attend: Attend) -> Float[Tensor, "batch hidden"]:
        """The embedding of each text, which nothing normalises."""
        if self.pooling == "mean":
            return mean_pool(states, attend)
        first: Tensor = self.dense(states[:, 0])
        return first.tanh() if self.pooling == "pooled" else first


class Embedder(nn.Module):
    """An encoder and a pooling of its states.

    Attributes:
        normalised: whether an embedding is meant to be divided by its length; the network does not do it.
        dimensions: width of an embedding.
    """

    output = "embedding"

    def __init__(self, config: EncoderConfig, pooling: SentencePooling = "mean", *, normalised: bool = True) -> None:
        super().__init__()
        self.pooling, self.normalised, self.dimensions = pooling, normalised, config.hidden
        self.encoder = Encoder(config)
        self.head = Pool(config, pooling)
        self.head.apply(partial(initialise, std=config.init_std))

    @property
    def config(self) -> EncoderConfig:
        """The encoder's configuration."""
        return self.encoder.config

    def forward(
        self,
        ids: Int[Tensor, "batch tokens"],
        attend: Attend,
        segments: Int[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch hidden"]:
        """The embedding of each text; arguments as for the encoder."""
        pooled: Tensor = self.head(self.encoder(ids, attend, segments=segments).last, attend)
        return pooled


def embedder_table(config: EncoderConfig, pooling: str) -> Table:
    """All parameters with their names in checkpoints: those of ``AutoModel``, and of the dense layer beside it."""
    table = {f"encoder.{ours}": names for ours, names in encoder_table(config).items()}
    return table | ({f"head.{ours}": names for ours, names in _DENSE.items()} if pooling == "pooled" else {})


def load_embedder(directory: Path, *, dropout: float | None = None) -> Embedder:
    """The network of a ``sentence-transformers`` directory; ``dropout`` replaces the checkpoint's rates.

    Raises:
        CheckpointError: a file cannot be read, the weights do not match it, or it has steps that bertline does not
            compute.
    """
    config = _config(directory, dropout)
    modules = read_modules(directory, config.hidden)
    embedder = Embedder(config, modules.pooling, normalised=modules.normalised)
    fill_encoder(embedder.encoder, plain_names(read_tensors(directory), config, directory))
    if modules.pooling == "pooled":
        folder = directory / modules.dense
        tensors = read_tensors(folder)
        require(tensors, _DENSE.values(), folder, "dense layer")
        fill(embedder.head, tensors, _DENSE, folder)
    return embedder


def load_untrained(
    directory: Path, *, pooling: SentencePooling | None = None, dropout: float | None = None
) -> Embedder:
    """An embedder to fine-tune: a model of ``sentence-transformers``, or the encoder of any other checkpoint.

    Args:
        directory: of the checkpoint.
        pooling: None is the model's own, or the mean where it has none.
        dropout: replaces the checkpoint's rates.

    Raises:
        CheckpointError: as ``load_embedder``.
    """
    if is_sentence_model(directory):
        embedder = load_embedder(directory, dropout=dropout)
        if pooling in (None, embedder.pooling):
            embedder.normalised = True  # the losses compare cosines
            return embedder
    embedder = Embedder(_config(directory, dropout), pooling or "mean")
    embedder.encoder.load_state_dict(load_encoder(directory).state_dict())
    return embedder


def _config(directory: Path, dropout: float | None) -> EncoderConfig:
    config, _ = read_config(directory)
    return config if dropout is None else config.with_dropout(dropout)


def save_embedder(directory: Path, embedder: Embedder) -> None:
    """Write the network as ``sentence-transformers`` loads it; its encoder as ``AutoModel`` does."""
    save_encoder(directory, embedder.encoder)
    write_modules(directory, embedder.pooling, embedder.dimensions, normalised=embedder.normalised)
    if embedder.pooling == "pooled":
        tensors = {f"linear.{name.removeprefix('dense.')}": one for name, one in embedder.head.state_dict().items()}
        write_tensors(directory / DENSE / "model.safetensors", tensors, {"format": "pt"})
