"""What the encoder has to beat on the same rows: the majority class, and TF-IDF with logistic regression.

The only file that imports scikit-learn.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Int

from bertline.errors import UsageError
from bertline.statistics.intervals import Estimate, wilson
from bertline.statistics.metrics import Rows, confusion_of
from bertline.statistics.paired import PairedDifference, compare
from bertline.tasks.classify.one_label import label_scores

_NO_SKLEARN = "the TF-IDF baseline needs scikit-learn, which is not installed: pip install 'bertline[train]'"

TrainRows = Int[np.ndarray[Any, Any], " train_rows"]
ValidationRows = Int[np.ndarray[Any, Any], " validation_rows"]

# Inverse regularisation strengths, of which the validation texts choose: 64 on Reuters, 256 on movie reviews, where
# 1,024 was no better.
STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)
WORD = r"(?u)\b\w+\b"  # with punctuation as tokens: movie reviews 76.6 % instead of 78.6 %, Reuters the same


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple classifier on the evaluated rows.

    ``encoder_gain`` is the encoder's accuracy minus this one's.
    """

    name: str
    detail: str
    accuracy: Estimate
    macro_f1: Estimate
    encoder_gain: PairedDifference

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {
            "name": self.name,
            "detail": self.detail,
            "accuracy": self.accuracy.to_json(),
            "macro_f1": self.macro_f1.to_json(),
            "encoder_gain": self.encoder_gain.to_json(),
        }


def measure_baselines(
    *,
    train_texts: Sequence[str],
    train_truth: TrainRows,
    validation_texts: Sequence[str],
    validation_truth: ValidationRows,
    texts: Sequence[str],
    truth: Rows,
    predicted: Rows,
    labels: Sequence[str],
    seed: int = 0,
) -> tuple[Baseline, ...]:
    """Fit both baselines on the encoder's training texts and measure them on the encoder's rows.

    Args:
        train_texts: what the encoder was trained on.
        train_truth: index of the true label of each.
        validation_texts: choose the regularisation.
        validation_truth: index of the true label of each.
        texts: the evaluated rows.
        truth: index of the true label of each.
        predicted: the encoder's labels for ``texts``.
        labels: names of the label indices, those behind the model's own that ``truth`` has too.
        seed: of the bootstrap.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    commonest = majority(train_truth)
    words, strength = tfidf(train_texts, train_truth, validation_texts, validation_truth, texts)
    detail = f"words and word pairs; C = {strength:g}, chosen on the validation texts"
    candidates = (
        ("Majority class", f"always “{labels[commonest]}”", np.full(len(truth), commonest, dtype=np.int64)),
        ("TF-IDF + logistic regression", detail if strength else "the training texts hold no words", words),
    )
    return tuple(_measured(name, said, guess, truth, predicted, len(labels), seed) for name, said, guess in candidates)


def majority(train_truth: TrainRows) -> int:
    """The most frequent label of the training texts; of equally frequent ones the first."""
    return int(np.bincount(train_truth).argmax())


def tfidf(
    train_texts: Sequence[str],
    train_truth: TrainRows,
    validation_texts: Sequence[str],
    validation_truth: ValidationRows,
    texts: Sequence[str],
) -> tuple[Rows, float]:
    """Labels of ``texts`` by TF-IDF and logistic regression, and the C that the validation texts chose.

    Word 1–2-grams with sublinear term frequencies, one classifier per label by liblinear's dual coordinate
    descent (Yu, Huang and Lin 2011): on 4,936 Reuters texts 0.3–1.3 s per C where L-BFGS took 7–14 s for
    the same accuracy. L-BFGS at a loose tolerance stops early (movie reviews 73 % instead of 78.6 %), which
    would flatter the encoder. Where there is nothing to fit (no words, or one label), C is 0 and every
    answer the majority's.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    if len(np.unique(train_truth)) < 2 or not any(re.search(WORD, text) for text in train_texts):
        return np.full(len(texts), majority(train_truth), dtype=np.int64), 0.0
    vectorizer, classifier = _sklearn()
    train = vectorizer.fit_transform(train_texts)
    validation, test = (vectorizer.transform(some) if len(some) else None for some in (validation_texts, texts))
    best, chosen, strength = -1, np.zeros(0, dtype=np.int64), 0.0
    for c in STRENGTHS if len(validation_texts) else STRENGTHS[1:2]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit cut off at max_iter is judged by its validation accuracy
            model = classifier(c).fit(train, train_truth)
        right = 0 if validation is None else int((model.predict(validation) == validation_truth).sum())
        if right > best:  # of equally good ones the most regularised
            best, strength = right, c
            chosen = chosen if test is None else model.predict(test).astype(np.int64)
    return chosen, strength


def check_baselines_package() -> None:
    """Before the work that is compared with the baselines: see that scikit-learn is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("sklearn") is None:
        raise UsageError(_NO_SKLEARN)


def _sklearn() -> tuple[Any, Any]:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
    except ImportError as error:
        raise UsageError(_NO_SKLEARN) from error

    def classifier(strength: float) -> Any:
        liblinear = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=300, random_state=0)
        return OneVsRestClassifier(liblinear)

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD), classifier


def _measured(name: str, detail: str, guess: Rows, truth: Rows, predicted: Rows, labels: int, seed: int) -> Baseline:
    right = guess == truth
    return Baseline(
        name=name,
        detail=detail,
        accuracy=wilson(int(right.sum()), len(truth)),
        macro_f1=label_scores(confusion_of(truth, guess, labels), seed=seed)["macro_f1"],
        encoder_gain=compare(predicted == truth, right, seed=seed),
    )
