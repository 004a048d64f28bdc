from __future__ import annotations

import pytest

from bertline.errors import UsageError
from bertline.registry.reference import Reference, check_alias, check_name, is_reference, parse_reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("reviews", Reference("reviews")),
        ("reviews@champion", Reference("reviews", alias="champion")),
        ("reviews:12", Reference("reviews", version=12)),
        ("models:/reviews@shadow", Reference("reviews", alias="shadow")),
        ("models:/reviews/3", Reference("reviews", version=3)),
        ("models:/reviews:3", Reference("reviews", version=3)),
        ("models:/film reviews@champion", Reference("film reviews", alias="champion")),
    ],
)
def test_a_reference_is_read_as_mlflow_and_as_people_write_it(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize("text", ["reviews:", "reviews:0", "reviews:three", "models:/reviews/latest", "a:b:3"])
def test_what_is_no_version_is_refused_with_both_forms(text: str) -> None:
    with pytest.raises(UsageError, match="write NAME@ALIAS, as in reviews@champion, or NAME:VERSION"):
        parse_reference(text)


@pytest.mark.parametrize("name", ["", " a", "a/b", "a\\b", "..", "a\nb", "x" * 201])
def test_a_name_that_mlflow_could_not_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a model: use 1 to 200 characters"):
        check_name(name)


@pytest.mark.parametrize("alias", ["", "latest", "Latest", "v3", "V12", "in use", "a:b"])
def test_an_alias_that_mlflow_reserves_or_refuses_is_refused(alias: str) -> None:
    with pytest.raises(UsageError, match="cannot be an alias: use letters, digits, - and _"):
        check_alias(alias)


def test_a_path_is_no_reference() -> None:
    assert not is_reference("models/reviews")
    assert not is_reference("./models:/x")
    assert is_reference("models:/reviews@champion")
