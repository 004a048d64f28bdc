"""Several runs, averaged into one network (Wortsman et al. 2022, "Model soups").

The runs start from the same weights and differ in the order of the rows and in dropout. Their ends are close enough for
the average of the weights to be a network as good as their ensemble, at the cost of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bertline.statistics.figures import title, value
from bertline.tasks.history import EpochRecord
from bertline.training.facts import Fact

SEEDS_APART = 1_000  # of two runs, so that neighbouring --seed values share none

History = tuple[EpochRecord, ...]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Averaged:
    """The epochs of the best run, or of the run alone; and what the runs and their average came to."""

    history: History
    facts: tuple[Fact, ...] = ()


def fit_averaged(
    model: nn.Module,
    runs: int,
    fit: Callable[[int], History],
    validate: Callable[[], tuple[float, Mapping[str, float]]],
    is_best: Callable[[Sequence[EpochRecord]], bool],
) -> Averaged:
    """Train ``model`` several times from its present weights; it ends with the average of the runs' weights.

    Where the average is worse than most of the runs on the validation rows, as after a run that diverged, it ends with
    the weights of the best run. (The best of several scores on a few rows is good by luck too, so one better run is no
    reason to drop the average.)

    Args:
        model: to train, in place.
        runs: how many, at least 1.
        fit: trains ``model`` as the run with this number, from 0 on, and returns its epochs.
        validate: loss and figures of ``model`` on the validation rows.
        is_best: whether the last record of several is the best.
    """
    if runs == 1:
        return Averaged(fit(0))
    start = _copy(model)
    total: dict[str, Tensor] = {}
    best: tuple[History, Weights] | None = None
    scores = []
    for number in range(runs):
        model.load_state_dict(start)
        history, weights = fit(number), _copy(model)
        scores.append(_kept(history))
        if best is None or is_best([_kept(best[0]), _kept(history)]):
            best = history, weights
        for name, tensor in weights.items():
            total[name] = total[name] + tensor.double() if name in total else tensor.double()
    assert best is not None
    model.load_state_dict({name: (tensor / runs).to(start[name].dtype) for name, tensor in total.items()})
    loss, figures = validate()
    average = replace(_kept(best[0]), validation_loss=loss, figures=figures)
    sound = sum(is_best([average, score]) for score in scores) <= runs / 2
    if not sound:
        model.load_state_dict(best[1])
    return Averaged(best[0], (_fact(scores, average, sound),))


def _kept(history: History) -> EpochRecord:
    """The epoch whose weights the run ends with."""
    return next(record for record in reversed(history) if record.best)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _fact(runs: Sequence[EpochRecord], average: EpochRecord, sound: bool) -> Fact:
    name = next(iter(average.figures))
    *scores, score = (value(name, record.figures[name]) for record in (*runs, average))
    which = "the average of" if sound else "the best of"
    return (
        "Weights",
        f"{which} {len(runs)} runs; {title(name)} on validation rows {', '.join(scores)}, of the average {score}; the "
        "curves are of the best run",
    )
