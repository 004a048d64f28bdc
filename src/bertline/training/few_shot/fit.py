"""``train --few-shot``: all rows are learned, and cross-validation says how well.

With 8 texts per label, held-out rows would be too few to choose or to report by. The outputs that the figures and the
temperature come from are out of fold; the network of the bundle learned all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bertline.data.duplicates import normalise
from bertline.data.examples import Example
from bertline.encoder.heads import Classifier
from bertline.statistics.as_json import as_json
from bertline.tasks.classify.spec import Spec
from bertline.text.reading import joined
from bertline.training.facts import Fact
from bertline.training.few_shot.choose import FOLDS, choose, folds
from bertline.training.few_shot.curve import learning_curve
from bertline.training.few_shot.shots import Shots
from bertline.training.head_start import head_features, set_head
from bertline.training.rows import Rows
from bertline.training.scoring import score
from bertline.training.session import Fitted, Session
from bertline.training.settings import TrainSettings

TEST_SOURCE = f"cross-validation in {FOLDS} folds"


@dataclass(frozen=True)
class FewShot:
    """The result of a run.

    Attributes:
        fitted: the network's outputs for the training rows and the test rows.
        evaluated: the same, with those of the training rows by models that did not learn them.
        facts: for the report.
        metrics: for the bundle.
    """

    fitted: Fitted
    evaluated: Fitted
    facts: tuple[Fact, ...]
    metrics: Mapping[str, Any]


def fit_few(
    run: Session,
    classifier: Classifier,
    spec: Spec,
    examples: Sequence[Example],
    rows: Rows,
    test: Rows,
    settings: TrainSettings,
) -> FewShot:
    """Train ``classifier`` on all ``rows``, of the ``examples``; ``test`` is the same or another table's."""
    shots, note = Shots(rows, spec, settings, run.placement), run.progress.note
    parts = folds(shots.labels.tolist(), [one.group or normalise(joined(one.input)) for one in examples], settings.seed)
    torch.manual_seed(settings.seed)
    features = head_features(classifier, rows, run.placement)
    curve = learning_curve(shots, features, parts)
    choice = choose(classifier, shots, features, parts, note)
    if choice.tuned:
        note("Training on all rows")
        shots.tune(classifier, range(len(shots)))
        features = head_features(classifier, rows, run.placement)
    set_head(classifier, shots.fit_head(features, range(len(shots))))
    facts = (("Few-shot", choice.sentence()), *curve.facts())
    for fact in facts:
        note(": ".join(fact))
    metrics = {
        "chosen": "fine-tuned" if choice.tuned else "frozen",
        "gain_of_tuning": as_json(choice.comparison.difference),
        "learning_curve": as_json(curve),
    }
    own, out_of_fold = score(classifier, rows, run.placement.device), list(choice.logits.numpy())
    tested = score(classifier, test, run.placement.device)
    evaluated = Fitted((), out_of_fold, out_of_fold if test is rows else tested)
    return FewShot(Fitted((), own, tested), evaluated, facts, {"few_shot": metrics})
