"""AdamW for a small encoder: fused for the dense weights, sparse for the table of token embeddings.

Half of a MiniLM's parameters are token embeddings, and a batch uses a few hundred of 30,522 rows. A dense step would
read and write the whole table. The sparse step touches only the rows of the batch's tokens, whose moments decay only
then, as in torch's SparseAdam.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bertline.training.settings import LoopSettings

BETAS = (0.9, 0.999)
EPS = 1e-8
TABLE = "encoder.embeddings.token"


class Optimizer:
    """Steps over the parameters of one network.

    Args:
        model: an encoder with a head.
        settings: rate, weight decay (Loshchilov and Hutter 2019; not on biases, norms and embeddings), clipping.
        sparse_embeddings: whether its table of token embeddings is switched to sparse gradients. Not possible where
            the output layer is tied to the table, whose gradient is dense then.
    """

    def __init__(self, model: nn.Module, settings: LoopSettings, *, sparse_embeddings: bool = True) -> None:
        self._clip_norm, self._rate = settings.clip_norm, settings.lr
        self._table: Tensor | None = None
        if sparse_embeddings:
            table = model.get_submodule(TABLE)
            assert isinstance(table, nn.Embedding)
            table.sparse, self._table = True, table.weight
        self._parameters = dict(model.named_parameters())
        dense = {name: parameter for name, parameter in self._parameters.items() if parameter is not self._table}
        groups = [
            {
                "params": [parameter for name, parameter in dense.items() if _decays(name, parameter)],
                "weight_decay": settings.weight_decay,
            },
            {
                "params": [parameter for name, parameter in dense.items() if not _decays(name, parameter)],
                "weight_decay": 0.0,
            },
        ]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=settings.lr, betas=BETAS, eps=EPS, fused=True)
        ]
        if self._table is not None:
            self._optimizers.append(torch.optim.SparseAdam([self._table], lr=settings.lr, betas=BETAS, eps=EPS))

    def step(self, factor: float) -> float:
        """Clip, update every parameter at ``factor`` × the peak rate, clear; returns the norm before clipping."""
        norm = self._clip()
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm

    def _clip(self) -> float:
        if self._table is not None and self._table.grad is not None:
            self._table.grad = self._table.grad.coalesce()
        grads = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        values = [grad.values() if grad.is_sparse else grad for grad in grads]
        norm = nn.utils.get_total_norm(values)
        scale = torch.clamp(self._clip_norm / (norm + 1e-6), max=1.0)
        for value in values:
            value.mul_(scale)
        return float(norm)

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts, by parameter name."""
        return {f"{name}/{key}": torch.as_tensor(value) for name, key, value in self._entries()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Restore the moments and step counts of ``state``."""
        for name, parameter in self._parameters.items():
            entries = {
                key.rpartition("/")[2]: tensor for key, tensor in state.items() if key.rpartition("/")[0] == name
            }
            if not entries:
                continue
            optimizer = self._optimizers[-1 if parameter is self._table else 0]
            moved: dict[str, object] = {key: tensor.to(parameter.device) for key, tensor in entries.items()}
            if parameter is self._table:
                moved["step"] = int(entries["step"])
            optimizer.state[parameter] = moved

    def _entries(self) -> Iterator[tuple[str, str, object]]:
        for name, parameter in self._parameters.items():
            for optimizer in self._optimizers:
                for key, value in optimizer.state.get(parameter, {}).items():
                    yield name, key, value


def _decays(name: str, parameter: Tensor) -> bool:
    return parameter.dim() > 1 and "embeddings" not in name
