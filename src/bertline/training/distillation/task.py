"""The task of distillation: give the teacher's answers, and optionally have its relations between tokens' values.

Suffixes: B batch, T tokens, H heads, D width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from bertline.encoder.encoder import Encoded, Layer
from bertline.encoder.heads import Classifier
from bertline.tasks.contract import TaskSpec
from bertline.tasks.history import EpochRecord
from bertline.training.device import Inputs
from bertline.training.distillation.distance import DISTANCES, Answers, between, mean_of
from bertline.training.row_task import Arrays, RowTask, figures_of
from bertline.training.rows import Rows
from bertline.training.settings import LoopSettings

Relations = Float[Tensor, "batch heads tokens tokens"]
_HIDDEN_SCORE = -1e30  # score of a padding token before the softmax


def value_relations(
    model: Classifier, encoded: Encoded, attend: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch heads tokens tokens"]:
    """Log of softmax(V Vᵀ / √d) of the last layer, by head (MiniLM: Wang et al. 2020, equation 6).

    ``encoded`` needs its hidden states: the values are computed again from the input of the last layer.
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
    spec: TaskSpec,
    rows: tuple[Rows, Rows],
    answers: tuple[Answers, Answers],
    settings: LoopSettings,
    *,
    relations_weight: float = 0.0,
) -> RowTask:
    """Learn to answer as the teacher.

    Args:
        teacher: reads the batches again if ``relations_weight`` is above 0; else not used.
        spec: of its task; the activation chooses the distance.
        rows: transfer texts, and validation rows with targets.
        answers: the teacher's to both.
        settings: of the loop.
        relations_weight: weight of the value relations beside the answers.
    """
    activation = spec.activation

    def loss(model: Classifier, inputs: Inputs, indices: Sequence[int]) -> Tensor:
        ids, attend, segments = inputs
        wanted, weights = (one.to(ids.device) for one in answers[0].batch(indices))
        if not relations_weight:
            return between(activation, model(*inputs), wanted, weights)
        assert attend is not None  # ``reads_attend`` below
        encoded = model.encoder(ids, attend, segments=segments, want_hidden_states=True)
        with torch.no_grad():
            read = teacher.encoder(ids, attend, segments=segments, want_hidden_states=True)
            relations = value_relations(teacher, read, attend)
        apart = relation_divergence(value_relations(model, encoded, attend), relations, attend)
        return between(activation, model.head(encoded.last, attend), wanted, weights) + relations_weight * apart

    def validation_loss(outputs: Arrays) -> float:
        return mean_of(DISTANCES[activation].between, outputs, answers[1])

    figures, reads_attend = figures_of(spec, rows[1]), bool(relations_weight)
    return RowTask(*rows, settings, loss, validation_loss, figures, closest, reads_attend=reads_attend)


def closest(history: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch is the closest to the teacher so far.

    The distance on the validation rows decides, not the accuracy: the distance has a value on every row, while the
    accuracies of two epochs differ in a few of several hundred rows, which is chance.
    """
    *before, last = [record.validation_loss for record in history]
    return all(last < one for one in before)
