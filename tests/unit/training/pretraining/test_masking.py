"""Which tokens are hidden and by what: exact numbers, whole words, and the same for a seed."""

from __future__ import annotations

import numpy as np
import pytest

from bertline.testing.tiny import VOCABULARY, tiny_tokenizer
from bertline.training.pretraining.masking import Masked, masking_of

TOKENIZER = tiny_tokenizer()
SPECIAL = {TOKENIZER.cls_id, TOKENIZER.sep_id, TOKENIZER.pad_id, TOKENIZER.unknown_id, TOKENIZER.mask_id}
IDS = np.random.default_rng(0).integers(0, len(VOCABULARY), (64, 128))
USABLE = int((~np.isin(IDS, [*SPECIAL])).sum())


def masked(share: float = 0.15, seed: int = 0, **how: bool) -> Masked:
    return masking_of(TOKENIZER, share, **how).masked(IDS, np.random.default_rng(seed))


@pytest.mark.parametrize("share", [0.15, 0.2, 0.4])
def test_the_share_is_exact_and_special_tokens_stay(share: float) -> None:
    one = masked(share)
    assert len(one.at) == round(share * USABLE)
    assert np.array_equal(one.truth, IDS.ravel()[one.at])
    assert not SPECIAL & set(one.truth.tolist())
    rest = np.delete(np.arange(IDS.size), one.at)
    assert np.array_equal(one.ids.ravel()[rest], IDS.ravel()[rest])
    assert (np.diff(one.at) > 0).all()


def test_eighty_ten_ten() -> None:
    one = masked(0.4)
    shown = one.ids.ravel()[one.at]
    hidden, same = (shown == TOKENIZER.mask_id).mean(), (shown == one.truth).mean()
    assert abs(hidden - 0.8) < 4 * np.sqrt(0.8 * 0.2 / len(shown))
    assert abs(same - 0.1) < 4 * np.sqrt(0.1 * 0.9 / len(shown)) + 0.1 / len(VOCABULARY)
    others = shown[(shown != TOKENIZER.mask_id) & (shown != one.truth)]
    assert not SPECIAL & set(others.tolist())
    assert len(set(others.tolist())) > 60


def test_all_are_masks_on_request() -> None:
    one = masked(mask_only=True)
    assert set(one.ids.ravel()[one.at]) == {TOKENIZER.mask_id}


def test_a_seed_gives_the_same_tokens_and_another_one_others() -> None:
    first, again, other = masked(), masked(), masked(seed=1)
    assert np.array_equal(first.ids, again.ids)
    assert np.array_equal(first.at, again.at)
    assert not np.array_equal(first.at, other.at)


def test_whole_words_are_hidden_with_all_their_pieces() -> None:
    one = masked(0.3, whole_words=True, mask_only=True)
    hidden = np.zeros(IDS.size, dtype=bool)
    hidden[one.at] = True
    continues = np.array([token.startswith("##") for token in VOCABULARY])[IDS]
    special = np.isin(IDS, [*SPECIAL])
    joined = continues[:, 1:] & ~special[:, :-1]
    rows = hidden.reshape(IDS.shape)
    assert joined.sum() > 1000
    assert (rows[:, 1:] == rows[:, :-1])[joined].all()
    longest = 30  # tokens of a word here
    assert round(0.3 * USABLE) - longest <= len(one.at) <= round(0.3 * USABLE)
