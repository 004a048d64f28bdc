from __future__ import annotations

import pytest

from bertline.tasks.classify.spec import Spec


@pytest.mark.parametrize(
    ("problem_type", "activation"),
    [
        ("multi_label_classification", "sigmoid"),
        ("single_label_classification", "softmax"),
        (None, "softmax"),
        (["multi_label_classification"], "softmax"),
    ],
)
def test_the_checkpoint_of_a_bundle_of_format_1_says_whether_labels_are_several(
    problem_type: object, activation: str
) -> None:
    assert Spec(labels=("bad", "good")).with_problem_type(problem_type).activation == activation


def test_a_spec_that_says_it_itself_stays_as_it_is() -> None:
    for spec in (Spec(problem="number", labels=("stars",)), Spec(problem="several", labels=("a",), thresholds=(0.2,))):
        assert spec.with_problem_type("multi_label_classification") is spec
