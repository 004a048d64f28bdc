"""The network in PyTorch; the floor's only file that imports torch."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from bertline.data.batching import Batch
from bertline.encoder.checkpoint import load_classifier
from bertline.errors import SettingsError

Precision = Literal["auto", "fp32", "bf16"]


class TorchBackend:
    """The classifier of a checkpoint directory, ready to answer.

    With ``auto`` it computes in bf16 on a GPU that multiplies bf16 in hardware, and in fp32 on every other device, CPUs
    included. In bf16 the operands of matrix products and of attention are rounded to 8 significant bits, by the
    autocast that training uses too; embeddings and the weights of norms stay fp32. Logits are fp32 either way.

    The attention kernel is torch's choice: flash attention for a batch without padding, and for a padded one, whose
    mask flash attention cannot take, the memory-efficient or the cuDNN kernel. Flash and cuDNN compute no fp32.

    Args:
        directory: holds ``config.json`` and ``model.safetensors``.
        device: what torch calls it (``cpu``, ``cuda``, ``cuda:1``), or ``auto`` for the GPU if there is one.
        precision: ``fp32`` or ``bf16`` on whatever device, or ``auto``.

    Raises:
        CheckpointError: the directory holds no BERT or DistilBERT classifier.
        SettingsError: torch does not see that device.
    """

    lanes = 1  # torch spreads one batch over the cores itself

    def __init__(self, directory: Path, *, device: str = "auto", precision: Precision = "auto") -> None:
        self._device = _find(device)
        self._bf16 = precision == "bf16" or (precision == "auto" and _multiplies_bf16(self._device))
        self._classifier = load_classifier(directory).to(self._device).eval().requires_grad_(False)
        if self._bf16:
            _round_products(self._classifier)

    def logits(self, batch: Batch, *, alone: bool = False) -> Float[np.ndarray[Any, Any], "batch labels"]:
        """One row of logits per row of the batch, fp32."""
        ids = torch.from_numpy(batch.ids).to(self._device)
        attend = torch.from_numpy(batch.attend).to(self._device)
        padded = not batch.attend.all()  # asked here, where it costs nothing: see Encoder.forward
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            states = self._classifier.encoder(ids, attend if padded else None).last
            logits: torch.Tensor = self._classifier.head(states, attend)
        return np.asarray(logits.float().cpu().numpy())


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


def _multiplies_bf16(device: torch.device) -> bool:
    """Whether it is a GPU with bf16 products in hardware; older ones only emulate them."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _round_products(classifier: nn.Module) -> None:
    """Round the matrices once; autocast would do it again in each pass, to the same numbers."""
    for module in classifier.modules():
        if isinstance(module, nn.Linear):
            module.to(torch.bfloat16)
