"""Linear models on features of a frozen encoder, by L-BFGS: the same at every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

ITERATIONS = 100
_LEAST_DEVIATION = 1e-3  # a feature that hardly varies is not blown up


@dataclass(frozen=True)
class Linear:
    """Weight [output, feature] and bias [output] of a linear model."""

    weight: Float[Tensor, "outputs features"]
    bias: Float[Tensor, " outputs"]

    def __call__(self, features: Float[Tensor, "rows features"]) -> Float[Tensor, "rows outputs"]:
        """The outputs for each row."""
        return features @ self.weight.T + self.bias


def fit_linear(
    features: Float[Tensor, "rows features"],
    outputs: int,
    loss: Callable[[Tensor], Tensor],
    *,
    decay: float,
    standardise: bool = True,
) -> Linear:
    """The linear model with the least mean loss plus ``decay`` / 2 × the squared weights, on standardised features.

    The model that is returned reads the features as they are.

    Args:
        features: of each row.
        outputs: of the model.
        loss: from the outputs for all rows to the loss summed over them.
        decay: penalty on the weights; the bias has none.
        standardise: each feature by its mean and deviation; else they are read as they are.
    """
    mean, deviation = features.mean(0), features.std(0).clamp(min=_LEAST_DEVIATION)
    if not standardise:
        mean, deviation = torch.zeros_like(mean), torch.ones_like(deviation)
    standardised = (features - mean) / deviation
    weight = torch.zeros(outputs, features.shape[1], requires_grad=True)
    bias = torch.zeros(outputs, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss(standardised @ weight.T + bias) / len(features) + decay / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        solver.step(closure)
    own = weight.detach() / deviation
    return Linear(own, bias.detach() - own @ mean)
