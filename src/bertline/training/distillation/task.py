"""The task of distillation: answer as the teacher does, and, if asked, relate the tokens' values as it does.

Suffixes: B batch, T tokens, H heads, D width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from bertline.encoder.encoder import Encoded, Layer
from bertline.encoder.heads import Classifier
from bertline.statistics.calibration import Logits
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs
from bertline.training.task import Arrays, Task

ValidationLogits = Float[np.ndarray[Any, Any], "validation_rows labels"]
Answers = Float[Tensor, "rows labels"]
Relations = Float[Tensor, "batch heads tokens tokens"]
_HIDDEN_SCORE = -1e30  # score of a padding token before the softmax


def distance(student: Answers, teacher: Answers) -> Float[Tensor, ""]:
    """Squared difference of the logits, each row around its mean, summed over labels and rows.

    What is added to all logits of a row changes no answer, so it is no distance. It is the limit of Hinton's soft
    labels at a high temperature (Hinton et al. 2015, section 2.1; Kim et al. 2021 compare the two). With it a student
    of movie reviews ended a little closer to its teacher than with the divergence of the probabilities, also as
    measured by that divergence (docs/log.md).

    >>> logits = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
    >>> float(distance(logits + 3, logits)), float(distance(logits, torch.zeros(2, 2)))
    (0.0, 4.625)
    """
    apart = student.float() - teacher.float()
    return (apart - apart.mean(-1, keepdim=True)).square().sum()


def value_relations(
    model: Classifier, encoded: Encoded, attend: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch heads tokens tokens"]:
    """Log of softmax(V Vᵀ / √d) of the last layer, by head (MiniLM: Wang et al. 2020, equation 6).

    ``encoded`` needs its hidden states: the values are computed again from what the last layer read.
    """
    layer, hidden = model.encoder.layers[-1], model.config.hidden
    assert isinstance(layer, Layer)
    assert encoded.hidden_states is not None
    attention = layer.attention
    values = functional.linear(
        encoded.hidden_states[-2], attention.qkv.weight[2 * hidden :], attention.qkv.bias[2 * hidden :]
    ).float()
    values_BHTD = values.unflatten(-1, (attention.heads, attention.head_size)).transpose(1, 2)
    scores_BHTT: Tensor = values_BHTD @ values_BHTD.transpose(-1, -2) / math.sqrt(attention.head_size)
    return scores_BHTT.masked_fill(~attend[:, None, None, :], _HIDDEN_SCORE).log_softmax(-1)


def relation_divergence(
    student: Relations, teacher: Relations, attend: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, ""]:
    """KL of the teacher's relations from the student's: mean over heads and real tokens, summed over texts."""
    rows_BT = functional.kl_div(student, teacher, log_target=True, reduction="none").sum(-1).mean(1)
    return ((rows_BT * attend).sum(1) / attend.sum(1)).sum()


def distillation(
    teacher: Classifier,
    logits: Logits,
    validation_logits: ValidationLogits,
    figures: Callable[[Arrays], Mapping[str, float]] = lambda _: {},
    *,
    relations_weight: float = 0.0,
) -> Task:
    """Learn to answer as the teacher.

    Args:
        teacher: reads the batches again if ``relations_weight`` is above 0; else not used.
        logits: its answers to the training rows, [rows, labels].
        validation_logits: its answers to the validation rows.
        figures: of the validation rows, for people to read.
        relations_weight: weight of the value relations beside the answers.
    """
    answers, wanted = torch.from_numpy(logits).float(), torch.from_numpy(validation_logits).float()

    def loss(model: Classifier, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        ids, attend, _ = inputs
        own_answers = answers[list(indices)].to(ids.device)
        if not relations_weight:
            return distance(model(*inputs), own_answers)
        assert attend is not None  # ``reads_attend`` below
        encoded = model.encoder(ids, attend, want_hidden_states=True)
        with torch.no_grad():
            read = teacher.encoder(ids, attend, want_hidden_states=True)
            relations = value_relations(teacher, read, attend)
        apart = relation_divergence(value_relations(model, encoded, attend), relations, attend)
        return distance(model.head(encoded.last, attend), own_answers) + relations_weight * apart

    def validation_loss(outputs: Arrays) -> float:
        return float(distance(torch.from_numpy(np.stack(outputs)), wanted)) / len(wanted)

    return Task(loss, validation_loss, figures, closest, reads_attend=bool(relations_weight))


def closest(history: list[EpochRecord]) -> bool:
    """Whether the last epoch is the closest to the teacher so far.

    Its distance on the validation rows decides and not the accuracy: the distance has a value on every row, while
    the accuracies of epochs differ by a few of several hundred rows, which is chance.
    """
    *before, last = [record.validation_loss for record in history]
    return all(last < one for one in before)
