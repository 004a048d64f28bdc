from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bertline.registry.chain import START, Action, Deployment, broken, champions


def entry(
    number: int, previous: str, to: int | None, since: int | None = None, action: Action = "promote"
) -> Deployment:
    return Deployment(
        number=number,
        time=f"2026-11-29T10:00:{number:02}.000000Z",
        by="ana@build-7",
        action=action,
        model="reviews",
        alias="champion",
        from_version=since,
        from_digest=since and "a" * 64,
        to_version=to,
        to_digest=to and "b" * 64,
        verdict=None,
        reason="größer",
        previous=previous,
    ).sealed()


def log(*moves: tuple[int | None, int | None, Action]) -> list[Deployment]:
    entries: list[Deployment] = []
    for number, (since, to, action) in enumerate(moves, 1):
        entries.append(entry(number, entries[-1].hash if entries else START, to, since, action))
    return entries


WHOLE = log((None, 1, "promote"), (1, 2, "promote"), (2, 1, "rollback"), (1, 3, "promote"))


def test_a_chain_as_it_was_written_is_whole() -> None:
    assert broken([]) is None
    assert broken(WHOLE) is None
    assert broken(WHOLE, head=WHOLE[1].hash) is None


def test_the_hash_is_the_same_in_every_release() -> None:
    """Registries outlive releases: a changed rule would make every log look changed."""
    assert WHOLE[0].hash == "85625f076a92680302e36c85586b6e13450b4b8bfd75e4a7f5f4062b48bf9a4b"


CHANGES = {field.name: field for field in fields(Deployment) if field.name not in ("number", "hash", "previous")}


@pytest.mark.parametrize("field", CHANGES)
def test_a_change_of_any_field_of_any_entry_is_found(field: str) -> None:
    for place in range(len(WHOLE)):
        value = 9 if field.endswith("version") else "x"
        changed = [*WHOLE[:place], replace(WHOLE[place], **{field: value}), *WHOLE[place + 1 :]]
        fault = broken(changed)
        assert fault is not None
        assert (fault.number, fault.what) == (place + 1, "was changed after it was written")


def test_an_entry_that_was_hashed_again_breaks_the_next_one() -> None:
    forged = replace(WHOLE[1], by="nobody").sealed()
    fault = broken([WHOLE[0], forged, *WHOLE[2:]])
    assert fault is not None
    assert (fault.number, fault.what) == (3, "does not follow the entry before it: that one was replaced")


def test_a_removed_entry_is_missing() -> None:
    fault = broken([WHOLE[0], *WHOLE[2:]])
    assert fault is not None
    assert (fault.number, fault.what) == (2, "is missing")


def test_the_removal_of_the_last_entries_is_found_by_a_noted_hash_alone() -> None:
    assert broken(WHOLE[:-1]) is None
    fault = broken(WHOLE[:-1], head=WHOLE[-1].hash)
    assert fault is not None
    assert fault.number == 3
    assert fault.what == f"is the last one, and none has the noted hash {WHOLE[-1].hash[:12]}: others were removed"


@pytest.mark.parametrize(
    ("moves", "versions"),
    [
        ([], []),
        ([(None, 1, "promote"), (1, 2, "promote"), (2, 3, "promote")], [1, 2, 3]),
        ([(None, 1, "promote"), (1, 2, "promote"), (2, 3, "promote"), (3, 2, "rollback")], [1, 2]),
        ([(None, 1, "promote"), (1, 2, "promote"), (2, 1, "rollback"), (1, 3, "promote")], [1, 3]),
        ([(None, 2, "promote"), (2, 3, "promote"), (3, 2, "promote"), (2, 3, "rollback")], [2, 3]),
        ([(None, 1, "promote"), (5, 2, "promote")], [1, 5, 2]),  # another program had moved it to 5
        ([(None, 1, "promote"), (1, 2, "promote"), (5, 2, "rollback")], [1, 2]),
        ([(None, 1, "promote"), (1, None, "rollback"), (None, 2, "promote")], [2]),  # the first move was undone
    ],
)
def test_a_rollback_leaves_the_version_that_it_came_from(
    moves: list[tuple[int | None, int | None, Action]], versions: list[int]
) -> None:
    assert champions(log(*moves)) == versions
