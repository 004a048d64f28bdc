"""Two labels whose texts are two clouds; the model reads which cloud with some doubt."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.statistics.shift.prior import OTHERS, Prior

NAMES = ("bad", "good")


def drawn(rows: int, share: float, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, embeddings and labels; ``shift`` moves the embeddings of good ones where answers do not look."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < share).astype(np.int64)
    embeddings = rng.normal(size=(rows, 5))
    embeddings[:, 0] += 2.0 * labels
    embeddings[:, 1] += shift * labels
    good = 1 / (1 + np.exp(-2 * (embeddings[:, 0] - 1)))
    return np.stack([1 - good, good], axis=1), embeddings, labels


def test_new_shares_are_found() -> None:
    probabilities, _, labels = drawn(4_000, 0.5, 0)
    prior = Prior.of(probabilities, labels, NAMES)
    assert prior is not None
    assert prior.names == NAMES
    for share in (0.2, 0.5, 0.9):
        assert prior.new_shares(drawn(4_000, share, 1)[0])[1] == pytest.approx(share, abs=0.04)


def test_a_change_of_shares_is_no_change_within_labels() -> None:
    """200 draws at 5 %: three standard errors."""
    errors = []
    for seed in range(200):
        before, after = drawn(300, 0.5, 2 * seed), drawn(100, 0.8, 2 * seed + 1)
        prior = Prior.of(before[0], before[2], NAMES)
        assert prior is not None
        errors.append(prior.within_p(before, after[:2], seed=seed, draws=199) <= 0.05)
    assert abs(np.mean(errors) - 0.05) < 3 * (0.05 * 0.95 / 200) ** 0.5


def test_a_change_within_a_label_is_seen() -> None:
    before, after = drawn(300, 0.5, 0), drawn(100, 0.8, 1, shift=1.0)
    prior = Prior.of(before[0], before[2], NAMES)
    assert prior is not None
    assert prior.within_p(before, after[:2]) < 0.01


def test_rare_labels_count_together_or_with_the_most_common() -> None:
    shares = np.eye(5)[np.repeat(np.arange(5), (50, 40, 6, 6, 0))]
    labels = shares.argmax(axis=1)
    together = Prior.of(shares, labels, "abcde")
    assert together is not None
    assert together.names == ("a", "b", OTHERS)
    assert together.new_shares(shares) == pytest.approx([50 / 102, 40 / 102, 12 / 102])
    joined = Prior.of(shares[:-6], labels[:-6], "abcde")
    assert joined is not None
    assert joined.names == ("a", "b")
    assert joined.shares.sum() == pytest.approx(1.0)


def test_too_few_rows_of_a_label_say_nothing() -> None:
    shares = np.eye(2)[np.repeat([0, 1], (50, 3))]
    assert Prior.of(shares, shares.argmax(axis=1), NAMES) is None
