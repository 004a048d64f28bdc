"""Every probe keeps its promises on texts of every kind, and each fits the models that it is for."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bertline.errors import UsageError
from bertline.lifecycle.probes.change import Draw, Moved, Probe
from bertline.lifecycle.probes.table import GROUPS, PROBES, probes_for
from bertline.tasks.classify.spec import Spec
from bertline.tasks.embed.spec import Spec as Embeds
from bertline.tasks.fill.spec import Spec as Fills
from bertline.tasks.rank.spec import Spec as Ranks
from bertline.tasks.tag.spec import Spec as Tags

OPINION = Spec(labels=("negative", "positive"))
TEXTS = [
    "The colour of the film is wonderful, and I don't know anything like it.",
    "Amanda moved from Boston to Kenya with 12 friends. It isn't far.",
    "I love it, and we want more! It is wonderful.",
    "",
    " ",
    "?",
    "東京は大きい",
    "🙂 <b>good</b>\n\tfilm\u00a0",
    "İstanbul ß ﬁlm",
    "a " * 500,
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_probe_changes_a_text_the_same_way_each_time_or_not_at_all(probe: Probe) -> None:
    changes = 0
    for text in TEXTS:
        first, second = (probe.changed((text,), OPINION, Draw(Random(7), lambda word: False)) for _ in range(2))
        assert first == second
        texts = first.texts if isinstance(first, Moved) else first
        assert texts is None or (len(texts) == 1 and texts != (text,))
        assert (probe.kind == "direction") == isinstance(first, Moved) or first is None
        changes += texts is not None
    assert changes >= 1


def test_names_are_unique_and_words_are_for_a_sentence() -> None:
    assert len({one.name for one in PROBES}) == len(PROBES) == 20
    assert not {one.name for one in PROBES} & {*GROUPS}
    assert all(one.about and not one.about.endswith(".") for one in PROBES)


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        (OPINION, 20),
        (Spec(labels=("money", "sport")), 17),
        (Spec(labels=("no", "yes"), reads="pair"), 14),
        (Spec(problem="number", labels=("stars",)), 16),
        (Tags(types=("place",)), 17),
        (Ranks(), 17),
    ],
)
def test_probes_for_a_model(spec: Any, number: int) -> None:
    assert len(probes_for(spec)) == number


def test_probes_are_chosen_by_name_or_by_group() -> None:
    found = [one.name for one in probes_for(OPINION, ["ain't", "opinion"])]
    assert found == ["ain't", "negation", "praise added", "blame added"]


@pytest.mark.parametrize(
    ("spec", "chosen", "message"),
    [
        (Embeds(), (), "models of the task embed cannot be probed: use a classifier, a tagger or a ranker"),
        (Fills(), (), "models of the task fill cannot be probed: use a classifier, a tagger or a ranker"),
        (OPINION, ("typo",), "there is no probe 'typo': choose groups \\(typos, writing, names and numbers, "),
        (Ranks(), ("opinion",), "the probe opinion says nothing about this model: leave it out"),
    ],
)
def test_probes_that_there_are_not(spec: Any, chosen: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        probes_for(spec, chosen)
