"""The network in PyTorch, fp32, as it was trained and measured; the floor's only file that imports torch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from bertline.data.batching import Batch
from bertline.encoder.checkpoint import load_classifier
from bertline.errors import SettingsError


class TorchBackend:
    """The classifier of a checkpoint directory, ready to answer.

    Args:
        directory: holds ``config.json`` and ``model.safetensors``.
        device: what torch calls it (``cpu``, ``cuda``, ``cuda:1``), or ``auto`` for the GPU if there is one.

    Raises:
        CheckpointError: the directory holds no BERT or DistilBERT classifier.
        SettingsError: torch does not see that device.
    """

    def __init__(self, directory: Path, *, device: str = "auto") -> None:
        self._device = _find(device)
        self._classifier = load_classifier(directory).to(self._device).eval().requires_grad_(False)

    def logits(self, batch: Batch) -> Float[np.ndarray[Any, Any], "batch labels"]:
        """One row of logits per row of the batch, fp32."""
        ids = torch.from_numpy(batch.ids).to(self._device)
        attend = torch.from_numpy(batch.attend).to(self._device)
        with torch.inference_mode():
            logits: torch.Tensor = self._classifier(ids, attend)
        return np.asarray(logits.cpu().numpy())


def _find(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (AssertionError, RuntimeError) as error:  # torch raises both for a device that is not there
        reason = str(error).splitlines()[0]
        raise SettingsError(f"torch cannot use the device {device!r} ({reason}): choose cpu, cuda or auto") from None
    return found
