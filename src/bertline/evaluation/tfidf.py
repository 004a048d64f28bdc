"""Linear models of words: TF-IDF with logistic regression for labels, with ridge regression for numbers.

Word 1–2-grams with sublinear term frequencies. The validation texts choose the regularisation. The model that a bundle
can keep reads the encoder's pieces of words in their place. The only file that imports scikit-learn.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bertline.data.batching import Batch
from bertline.data.labels import ordered
from bertline.errors import needing
from bertline.evaluation.commonest import commonest, commonest_set, mean
from bertline.inference.words_backend import Terms, WordsBackend, ids_in, keys_of
from bertline.statistics.activation import softmax
from bertline.statistics.metrics import f1_of, micro_of
from bertline.statistics.multilabel import class_counts, label_counts
from bertline.statistics.thresholds import best_threshold

# Inverse regularisation strengths, of which the validation texts choose: 64 on Reuters, 256 on movie reviews, where
# 1,024 was no better.
STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0)
ALPHAS = (10.0, 3.0, 1.0, 0.3, 0.1)  # of ridge regression, the most regularised first
CELLS = 60_000_000  # of vectors: 240 MB
KEPT_CELLS = 20_000_000  # of the weights of a model that is kept: 80 MB, as much as a small encoder
LEAST_PAIRS = 2  # texts that a pair of pieces is in: others double the size and lose a little accuracy (docs/log.md)
NEVER = -30.0  # the decision for a label without training texts
_FITTED = ("coef_", "intercept_")  # scikit-learn's names
WORD = r"(?u)\b\w+\b"  # with punctuation as tokens: movie reviews 76.6 % instead of 78.6 %, Reuters the same

_needing_sklearn = partial(needing, "the TF-IDF baseline needs scikit-learn", "sklearn", extra="train")

Array = np.ndarray[Any, Any]
Matrix = Any  # of scipy, sparse
Texts = Sequence[str]
Flags = Bool[Array, "rows labels"]
# A fitted answer of some texts: how good it is on the validation texts (higher is better), and on the texts themselves.
Fitted = tuple[float, Any]


def one_label(
    train_texts: Texts, train: Sequence[str], validation_texts: Texts, validation: Sequence[str], texts: Texts
) -> tuple[list[str], float]:
    """Labels of ``texts``, and the C that the validation texts chose.

    One classifier per label by liblinear's dual coordinate descent (Yu, Huang and Lin 2011): on 4,936 Reuters texts
    0.3–1.3 s per C where L-BFGS took 7–14 s for the same accuracy. L-BFGS at a loose tolerance stops early (movie
    reviews 73 % instead of 78.6 %), which would flatter the encoder. Where there is nothing to fit (no words, or one
    label), C is 0 and every answer the most frequent label.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    if len({*train}) < 2 or not _has_words(train_texts):
        return [commonest(train)] * len(texts), 0.0

    def fit(strength: float, train_words: Matrix, validation_words: Matrix, words: Matrix) -> Fitted:
        model = _one_vs_rest(strength).fit(train_words, list(train))
        right = float((_on(validation_words, model.predict) == np.array(validation)).sum())
        return right, [str(answer) for answer in _on(words, model.predict)]

    return _best(fit, STRENGTHS, train_texts, validation_texts, texts)


def several_labels(
    train_texts: Texts,
    train: Sequence[Sequence[str]],
    validation_texts: Texts,
    validation: Sequence[Sequence[str]],
    texts: Texts,
) -> tuple[list[tuple[str, ...]], float]:
    """Sets of labels of ``texts``, and the C that the validation texts chose, by micro-F1.

    Each label has a logistic regression and, like the encoder, the threshold of highest F1 on the validation texts.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    names = ordered({label for labels in train for label in labels})
    if not names or not _has_words(train_texts):
        return [commonest_set(train)] * len(texts), 0.0
    flags, wanted = (
        np.array([[name in row for name in names] for row in some], dtype=bool).reshape(-1, len(names))
        for some in (train, validation)
    )

    def fit(strength: float, train_words: Matrix, validation_words: Matrix, words: Matrix) -> Fitted:
        columns = [
            _probabilities(strength, train_words, flags[:, i], validation_words, words) for i in range(len(names))
        ]
        cuts = np.array([best_threshold(wanted[:, i], own) for i, (own, _) in enumerate(columns)])
        given, answers = (np.stack([pair[i] for pair in columns], axis=1) >= cuts for i in range(2))
        score = float(micro_of(f1_of, class_counts(label_counts(wanted, given))))
        return score, [tuple(names[i] for i in np.flatnonzero(row)) for row in answers]

    return _best(fit, STRENGTHS, train_texts, validation_texts, texts)


def numbers(
    train_texts: Texts, train: Sequence[float], validation_texts: Texts, validation: Sequence[float], texts: Texts
) -> tuple[list[float], float]:
    """Numbers of ``texts``, and the α of ridge regression that the validation texts chose.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    if len({*train}) < 2 or not _has_words(train_texts):
        return [mean(train)] * len(texts), 0.0

    def fit(alpha: float, train_words: Matrix, validation_words: Matrix, words: Matrix) -> Fitted:
        model = _ridge(alpha).fit(train_words, np.array(train))
        error = float(((_on(validation_words, model.predict) - np.array(validation)) ** 2).sum())
        return -error, [float(answer) for answer in _on(words, model.predict)]

    return _best(fit, ALPHAS, train_texts, validation_texts, texts)


def of_pieces(
    train: Sequence[Batch],
    labels: Sequence[str],
    validation: Sequence[Batch],
    truth: Sequence[str],
    names: Sequence[str],
    special: Collection[int],
) -> tuple[WordsBackend, float] | None:
    """The linear model of pieces of words and pairs of them that is best on the validation texts, and its C.

    Classifiers as for ``one_label``. Of equally accurate ones the likeliest is best, because its probabilities count
    too: where every text is right, no temperature corrects them.

    Args:
        train: the training texts.
        labels: of each.
        validation: texts that choose C.
        truth: the label of each.
        names: of all labels, in the order of the logits.
        special: ids of no text, such as that of padding.

    Returns:
        None where there is nothing to fit: no pieces, or one label.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    terms = _terms(train, special, len(names))
    if len({*labels}) < 2 or terms is None:
        return None
    words, best, highest, chosen = _matrix(terms, train), None, (-1.0, 0.0), 0.0
    known = [(row, names.index(label)) for row, label in enumerate(truth) if label in names]
    rows, wanted = np.array(known, dtype=np.int64).reshape(-1, 2).T
    for strength in STRENGTHS:
        with _needing_sklearn(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in ``_best``
            fitted = _one_vs_rest(strength).fit(words, list(labels))
        model = WordsBackend(terms, *_by_label(fitted, names))
        logits = np.array(model.of(validation), dtype=np.float64)[rows]
        likelihood = np.log(softmax(logits)[np.arange(len(rows)), wanted]).sum()
        score = float((logits.argmax(axis=1) == wanted).sum()), float(likelihood)
        if score > highest:
            best, highest, chosen = model, score, strength
    return None if best is None else (best, chosen)


def _terms(texts: Sequence[Batch], special: Collection[int], labels: int) -> Terms | None:
    """The terms of training texts, the most frequent of them where the weights would take too much memory."""
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for batch in texts:
        own = np.sort(keys_of(batch.ids), axis=1)  # of each text, each once
        own = own[np.diff(own, axis=1, prepend=-1) > 0]
        keys, places = np.unique(np.concatenate([keys, own]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, np.ones(len(own), np.int64)])).astype(np.int64)
    first, last = ids_in(keys)
    known = ~(np.isin(first, [*special]) | np.isin(last, [*special]))
    known &= (counts >= LEAST_PAIRS) | (keys == last)
    keys, counts = keys[known], counts[known]
    used = np.sort(np.argsort(-counts, kind="stable")[: KEPT_CELLS // labels])
    rows = sum(len(batch.ids) for batch in texts)
    return Terms(keys[used], np.log((1 + rows) / (1 + counts[used])) + 1) if len(used) else None


def _matrix(terms: Terms, texts: Sequence[Batch]) -> Matrix:
    from scipy.sparse import csr_matrix, vstack

    parts = []
    for batch in texts:
        rows, columns, weights = terms.weigh(batch.ids)
        parts.append(csr_matrix((weights, (rows, columns)), shape=(len(batch.ids), len(terms.keys))))
    return vstack(parts, format="csr")


def _by_label(fitted: Any, names: Sequence[str]) -> tuple[Array, Array]:
    """Weights and intercepts of every label, from a regression for each, or from one for the second of two."""
    weights = np.zeros((fitted.estimators_[0].coef_.shape[1], len(names)), dtype=np.float32)
    intercepts = np.full(len(names), NEVER, dtype=np.float32)
    places = [names.index(str(one)) for one in fitted.classes_]
    slopes, offsets = (np.concatenate([getattr(one, name) for one in fitted.estimators_]) for name in _FITTED)
    if len(places) == 2:
        slopes, offsets = np.concatenate([-slopes, slopes]), np.concatenate([-offsets, offsets])
    weights[:, places], intercepts[places] = slopes.T, offsets
    return weights, intercepts


def vectors(corpus: Texts, texts: Texts) -> Float[Array, "texts words"]:
    """TF-IDF of single words, each vector of length 1, or 0 without a known word.

    Where the words would take too much memory, only those with the largest weights count.

    Args:
        corpus: of texts, from which the weights of words come.
        texts: to give vectors.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    if not _has_words(corpus):
        return np.zeros((len(texts), 1), dtype=np.float32)
    matrix = _vectorizer(1).fit(corpus).transform(texts)
    weights = np.asarray(matrix.sum(axis=0))[0]
    used = np.argsort(-weights, kind="stable")[: max(1, min(np.count_nonzero(weights), CELLS // max(1, len(texts))))]
    return np.asarray(matrix[:, np.sort(used)].toarray(), dtype=np.float32)


def _best(
    fit: Callable[[float, Matrix, Matrix, Matrix], Fitted],
    strengths: Sequence[float],
    train_texts: Texts,
    validation_texts: Texts,
    texts: Texts,
) -> tuple[Any, float]:
    """The answers of the strength that is best on the validation texts; the second one where there are none."""
    vectorizer = _vectorizer()
    train_words = vectorizer.fit_transform(train_texts)
    validation_words, words = (vectorizer.transform(some) if len(some) else None for some in (validation_texts, texts))
    best, answers, chosen = -np.inf, None, 0.0
    for strength in strengths if len(validation_texts) else strengths[1:2]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit cut off at max_iter is judged by its validation score
            score, answered = fit(strength, train_words, validation_words, words)
        if score > best:  # of equally good ones the most regularised
            best, answers, chosen = score, answered, strength
    return answers, chosen


def _probabilities(
    strength: float, train_words: Matrix, flags: Array, validation_words: Matrix, words: Matrix
) -> tuple[Array, ...]:
    """The probability of one label on the validation texts and on the others; of all texts or none, it is constant."""
    if flags.all() or not flags.any():
        constant = float(flags[0])
        return tuple(_on(some, lambda rows: np.full(rows.shape[0], constant)) for some in (validation_words, words))
    model = _logistic(strength).fit(train_words, flags)
    return tuple(_on(some, lambda rows: model.predict_proba(rows)[:, 1]) for some in (validation_words, words))


def _on(words: Matrix, predict: Callable[[Matrix], Any]) -> Array:
    """The predictions for some texts; empty without texts, which scikit-learn refuses."""
    return np.zeros(0) if words is None else np.asarray(predict(words))


def _has_words(texts: Texts) -> bool:
    return any(re.search(WORD, text) for text in texts)


def check_package() -> None:
    """Check before long work that scikit-learn is installed, whose import takes a second or more.

    Raises:
        UsageError: it is not.
    """
    with _needing_sklearn():
        if find_spec("sklearn") is None:
            raise ModuleNotFoundError(name="sklearn")


def _vectorizer(longest: int = 2) -> Any:
    with _needing_sklearn():
        from sklearn.feature_extraction.text import TfidfVectorizer
    return TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True, token_pattern=WORD)


def _logistic(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=300, random_state=0)


def _one_vs_rest(strength: float) -> Any:
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(_logistic(strength))


def _ridge(alpha: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=alpha, solver="lsqr")
