"""Load a checkpoint's tokenizer, and check it against ``config.json``: each id must have an embedding."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

from bertline.encoder.checkpoint import read_config
from bertline.errors import CheckpointError, CheckpointWarning
from bertline.text import Tokenizer


def load_tokenizer(directory: Path, *, bundle: bool = False) -> Tokenizer:
    """The tokenizer of a checkpoint; embeddings without an id are fine.

    Args:
        directory: of the checkpoint.
        bundle: read the directory as a bundle, with its tokenizer as it was written.

    Raises:
        CheckpointError: a file cannot be read, an id has no embedding, or ``transformers`` would read another
            tokenizer from a bundle.
    """
    config, _ = read_config(directory, causal=None)
    tokenizer = Tokenizer.from_bundle(directory) if bundle else Tokenizer.from_directory(directory)
    last, rows = tokenizer.vocab_size - 1, config.vocab_size
    if last >= rows:
        (token,) = tokenizer.tokens([last])
        raise CheckpointError(
            f"{directory} has a tokenizer with ids up to {last} ({token}), but its config.json says {rows} rows of "
            f"embeddings, 0 to {rows - 1}: give the tokenizer that the weights were trained with"
        )
    if tokenizer.pad_id != config.pad_id:
        warnings.warn(
            CheckpointWarning(
                f"{directory / 'config.json'} sets pad_token_id to {config.pad_id}, but the tokenizer pads with the id "
                f"{tokenizer.pad_id}: bertline pads with the latter"
            ),
            stacklevel=2,
        )
    with tempfile.TemporaryDirectory() as trial:  # fail before training if it cannot be written into a bundle
        tokenizer.save(Path(trial))
    return tokenizer
