from __future__ import annotations

from bertline.inference import Prediction
from bertline.inference.label_tally import LabelTally


def test_a_tally_adds_up_and_special_tokens_do_not_count() -> None:
    tally = LabelTally()
    for read, cut in ((10, 0), (32, 8), (32, 62)):
        tally.add(Prediction("a", {"a": 1.0}, read_tokens=read, cut_tokens=cut))
    assert tally == LabelTally(texts=3, cut_texts=2, tokens=8 + 38 + 92, cut_tokens=70)
    assert tally.cut_sentence(32) == (
        "note: 2 of 3 texts are longer than 32 tokens; 70 of all 138 tokens (50.7\u202f%) were not read"
    )
    assert LabelTally(texts=3, tokens=12).cut_sentence(32) is None


def test_tallies_of_shards_add_up() -> None:
    tally = LabelTally(texts=3, cut_texts=2, tokens=138, cut_tokens=70)
    tally.merge(LabelTally(texts=1, cut_texts=1, tokens=12, cut_tokens=2))
    assert tally == LabelTally(texts=4, cut_texts=3, tokens=150, cut_tokens=72)
