"""AdamW for a small encoder: fused for the dense weights, row by row for the table of token embeddings.

Half of a MiniLM's parameters are token embeddings, and a batch touches a few hundred of 30,522 rows. A dense step over
the table would read and write all of it; the sparse step touches only the rows that the batch used (their moments
decay only when used, as in torch's SparseAdam).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bertline.encoder.heads import Classifier
from bertline.training.settings import LoopSettings

BETAS = (0.9, 0.999)
EPS = 1e-8


class Optimizer:
    """Steps over the parameters of one classifier.

    Args:
        classifier: its token embedding is switched to sparse gradients.
        settings: rate, weight decay (Loshchilov and Hutter 2019; not on biases, norms and embeddings), clipping.
    """

    def __init__(self, classifier: Classifier, settings: LoopSettings) -> None:
        self._clip_norm, self._rate = settings.clip_norm, settings.lr
        table = classifier.encoder.embeddings.token
        table.sparse = True
        self._table = table.weight
        self._parameters = dict(classifier.named_parameters())
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
        self._dense = torch.optim.AdamW(groups, lr=settings.lr, betas=BETAS, eps=EPS, fused=True)
        self._sparse = torch.optim.SparseAdam([self._table], lr=settings.lr, betas=BETAS, eps=EPS)

    def step(self, factor: float) -> float:
        """Clip, update every parameter at ``factor`` × the highest rate, clear; returns the norm before clipping."""
        for group in [*self._dense.param_groups, *self._sparse.param_groups]:
            group["lr"] = self._rate * factor
        norm = self._clip()
        self._dense.step()
        self._sparse.step()
        self._dense.zero_grad(set_to_none=True)
        self._sparse.zero_grad(set_to_none=True)
        return norm

    def _clip(self) -> float:
        if self._table.grad is not None:
            self._table.grad = self._table.grad.coalesce()
        grads = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        values = [grad.values() if grad.is_sparse else grad for grad in grads]
        norm = nn.utils.get_total_norm(values)
        scale = torch.clamp(self._clip_norm / (norm + 1e-6), max=1.0)
        for value in values:
            value.mul_(scale)
        return float(norm)

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts, by parameter name: everything that a resumed run needs."""
        return {f"{name}/{key}": torch.as_tensor(value) for name, key, value in self._entries()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up the moments and step counts of ``state``."""
        for name, parameter in self._parameters.items():
            entries = {
                key.rpartition("/")[2]: tensor for key, tensor in state.items() if key.rpartition("/")[0] == name
            }
            if not entries:
                continue
            optimizer: torch.optim.Optimizer = self._sparse if parameter is self._table else self._dense
            moved: dict[str, object] = {key: tensor.to(parameter.device) for key, tensor in entries.items()}
            if parameter is self._table:
                moved["step"] = int(entries["step"])
            optimizer.state[parameter] = moved

    def _entries(self) -> Iterator[tuple[str, str, object]]:
        for name, parameter in self._parameters.items():
            for optimizer in (self._dense, self._sparse):
                for key, value in optimizer.state.get(parameter, {}).items():
                    yield name, key, value


def _decays(name: str, parameter: Tensor) -> bool:
    return parameter.dim() > 1 and "embeddings" not in name
