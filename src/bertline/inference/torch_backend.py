"""The network in PyTorch; the floor's only file that imports torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertline.data.batching import Batch
from bertline.encoder.embedder import Embedder
from bertline.encoder.heads import mean_pool
from bertline.encoder.masked import MaskedLanguageModel
from bertline.encoder.network import load_network
from bertline.errors import SettingsError
from bertline.machine.gpu import sees_gpu

Precision = Literal["auto", "fp32", "bf16"]


class TorchBackend:
    """The network of a checkpoint directory, ready to answer; its encoder's states and their mean too.

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
        CheckpointError: the directory holds no network of a known family with a head.
        SettingsError: torch does not see that device, or cannot put the network on it.
    """

    lanes = 1  # torch spreads one batch over the cores itself

    def __init__(self, directory: Path, *, device: str = "auto", precision: Precision = "auto") -> None:
        self._device = _find(device)
        self._bf16 = precision == "bf16" or (precision == "auto" and _multiplies_bf16(self._device))
        self._network = load_network(directory).eval().requires_grad_(False)
        try:
            self._network.to(self._device)
            if self._bf16:
                _round_products(self._network)
        except RuntimeError as error:  # no memory left, or a chip that this build of torch does not know
            raise _refused(device, error) from None
        # From the last layer's states, ``attend`` (None: no padding) and the ids, all on the device.
        self._readers: dict[str, Callable[[Tensor, Tensor | None, Tensor], Tensor]] = {
            "embedding": lambda states, attend, _: mean_pool(states.float(), attend),
            "states": lambda states, *_: states,
            self._network.output: self._head,
        }

    @property
    def outputs(self) -> frozenset[str]:
        """What its head gives, and what any encoder does."""
        return frozenset(self._readers)

    def compute(
        self, batch: Batch, output: str = "logits", *, alone: bool = False
    ) -> Float[np.ndarray[Any, Any], "batch *axes"]:
        """One output for each text of the batch, fp32."""
        ids = torch.from_numpy(batch.ids).to(self._device)
        segments = None if batch.segments is None else torch.from_numpy(batch.segments).to(self._device)
        # Asked of the host's array, where it costs nothing: see Encoder.forward.
        attend = None if batch.attend.all() else torch.from_numpy(batch.attend).to(self._device)
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            states = self._network.encoder(ids, attend, segments=segments).last
            computed = self._readers[output](states, attend, ids)
        return np.asarray(computed.float().cpu().numpy())

    def _head(self, states: Tensor, attend: Tensor | None, ids: Tensor) -> Tensor:
        network = self._network
        computed: Tensor
        if isinstance(network, MaskedLanguageModel):
            computed = network.head(states[ids == network.mask_id], network.encoder.embeddings.token.weight)
        else:
            computed = network.head(states.float() if isinstance(network, Embedder) else states, attend)
        return computed


def _find(device: str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if sees_gpu() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (AssertionError, RuntimeError) as error:  # torch raises both for a device that is not there
        raise _refused(device, error) from None
    return place


def _refused(device: str, error: Exception) -> SettingsError:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return SettingsError(f"torch cannot use the device {device!r} ({reason}): choose cpu, cuda or auto")


def _multiplies_bf16(device: torch.device) -> bool:
    """Whether it is a GPU with bf16 products in hardware; older ones only emulate them."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _round_products(classifier: nn.Module) -> None:
    """Round the matrices once; autocast would do it again in each pass, to the same numbers."""
    for module in classifier.modules():
        if isinstance(module, nn.Linear):
            module.to(torch.bfloat16)
