"""How long a run takes is measured by steps that change nothing."""

from __future__ import annotations

import pytest
import torch

from bertline.tasks.classify.spec import Spec
from bertline.testing.tiny import tiny_classifier, tiny_tokenizer
from bertline.text import Reader, Truncation
from bertline.training import estimate as pace
from bertline.training.device import Placement
from bertline.training.estimate import FORWARD, measure_run
from bertline.training.row_task import epoch_seed, of_spec
from bertline.training.rows import Rows
from bertline.training.settings import TrainSettings
from tests.unit.training.conftest import sentences

SPEC = Spec(labels=("bad", "good"))
CPU = Placement(torch.device("cpu"), torch.float32)
SETTINGS = TrainSettings(model="tiny", epochs=3, batch_tokens=128, precision="fp32")


def rows(number: int, seed: int) -> Rows:
    texts = [text for text, _ in sentences(number, seed)]
    tokens = Reader(tiny_tokenizer(), Truncation(32)).read(texts)
    return Rows(tokens, ["bad", "good"] * (number // 2), list(range(number)))


def test_no_weight_changes() -> None:
    classifier = tiny_classifier(family="bert", labels=2, pooling="cls")
    before = {name: one.clone() for name, one in classifier.state_dict().items()}
    train, validation = rows(40, 0), rows(8, 1)
    measure_run(classifier, of_spec(SPEC, train, validation, SETTINGS), SETTINGS, CPU)
    assert all(torch.equal(one, before[name]) for name, one in classifier.state_dict().items())
    assert all(one.grad is None for one in classifier.parameters())


class Clock:
    """A clock by which the rounds take these seconds, one after the other."""

    def __init__(self, *rounds: float) -> None:
        self.rounds, self.now, self.asked = rounds, 0.0, 0

    def perf_counter(self) -> float:
        if self.asked % 2:
            self.now += self.rounds[min(self.asked // 2, len(self.rounds) - 1)]
        self.asked += 1
        return self.now


@pytest.mark.parametrize(
    ("rounds", "low", "high"),
    [
        ((9.0, 1.0, 1.0, 1.0), 1.0, 1.0),
        ((9.0, 4.6, 4.6, 1.0, 1.0, 1.0), 1.0, 1.0),
        ((9.0, *[1.0, 4.6] * 20), 1.0, 4.6),
    ],
    ids=["start-up", "a disturbed moment", "a busy machine"],
)
def test_the_whole_run_follows_from_the_stable_rounds(
    rounds: tuple[float, ...], low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T17."""
    train, validation = rows_of = rows(40, 0), rows(8, 1)
    monkeypatch.setattr(pace, "time", Clock(*rounds))
    classifier = tiny_classifier(family="bert", labels=2, pooling="cls")
    whole, a_token = measure_run(classifier, of_spec(SPEC, *rows_of, SETTINGS), SETTINGS, CPU)
    probed = train.plan(128, epoch_seed(0, 0))[: pace.PROBED_STEPS]
    tokens = sum(train.lengths[i] for batch in probed for i in batch)
    assert (a_token.low, a_token.high) == pytest.approx((low / tokens, high / tokens))
    of_an_epoch = sum(train.lengths) + FORWARD * sum(validation.lengths)
    assert (whole.low, whole.high) == pytest.approx((3 * of_an_epoch * low / tokens, 3 * of_an_epoch * high / tokens))
    assert whole.stable == (low == high)
