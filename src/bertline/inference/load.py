"""From a directory to a predictor: verify the bundle, then build what answers from it."""

from __future__ import annotations

from pathlib import Path

from bertline.bundle import Bundle, load
from bertline.errors import BertlineError, BundleError
from bertline.inference.predictor import BATCH_TOKENS, Backend, TextClassifier
from bertline.text import Tokenizer

_ATTEMPTS = 3


def load_predictor(
    directory: Path, *, batch_tokens: int = BATCH_TOKENS, verify: bool = True, device: str = "auto"
) -> TextClassifier:
    """The predictor of a bundle.

    A bundle that is replaced while it is loaded is loaded again, so that what answers is one bundle and not
    parts of two.

    Args:
        directory: the bundle.
        batch_tokens: bound on the padded tokens of a batch.
        verify: compare the hash of every file first.
        device: where the network runs: ``auto``, ``cpu``, ``cuda``.

    Raises:
        BundleError: the bundle is missing, damaged or of a newer format, or the back end is not installed.
        CheckpointError: its model is not one that bertline computes.
        SettingsError: there is no such device.
    """
    for _ in range(_ATTEMPTS):
        bundle = load(directory, verify=verify)
        try:
            predictor = TextClassifier(
                bundle,
                Tokenizer.from_directory(bundle.path),
                _backend(bundle, device),
                batch_tokens=batch_tokens,
            )
        except BertlineError:
            if bundle.is_current():
                raise
            continue
        if bundle.is_current():
            return predictor
    raise BundleError(f"{directory} is being replaced again and again: wait until its writer is done")


def _backend(bundle: Bundle, device: str) -> Backend:
    try:
        from bertline.inference.torch_backend import TorchBackend
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "safetensors"):
            raise
        raise BundleError(
            f"{bundle.path} needs PyTorch to answer and {error.name} is not installed: pip install 'bertline[train]'"
        ) from None
    return TorchBackend(bundle.path, device=device)
