from __future__ import annotations

import pytest

from bertline.errors import SettingsError
from bertline.tasks.classify.spec import Spec
from bertline.tasks.embed.spec import Spec as EmbedSpec
from bertline.training.parallel.ranks import ALONE, Group
from bertline.training.parallel.recipes import check_recipe, check_task
from bertline.training.settings import TrainSettings

TWO = Group(0, 2, 0)


def test_what_needs_one_process_says_so() -> None:
    with pytest.raises(SettingsError, match=r"few_shot cannot be combined with 2 processes, because"):
        check_recipe(TrainSettings(few_shot=True), TWO)
    with pytest.raises(SettingsError, match=r"an embedder cannot be trained in 2 processes, because its loss compares"):
        check_task(EmbedSpec(), TWO)


def test_everything_else_may_have_several() -> None:
    check_recipe(TrainSettings(quality="best"), TWO)
    check_task(Spec(labels=("a", "b")), TWO)
    check_recipe(TrainSettings(few_shot=True), ALONE)
    check_task(EmbedSpec(), ALONE)
