from __future__ import annotations

from pathlib import Path

import pytest

from bertline.cli.spread import Spread, core_hour, is_spread
from bertline.errors import UsageError

PRICES = """
currency = "EUR"
region = "here"
date = 2026-11-29
source = "an offer"
[[machine]]
name = "small"
cores = 2
memory_gb = 8
price_per_hour = 0.1
[[machine]]
name = "large"
cores = 64
memory_gb = 128
price_per_hour = 1.6
"""


def test_a_share_is_counted_from_1() -> None:
    assert Spread(shard="3/64").share == (3, 64)
    assert Spread().share is None


@pytest.mark.parametrize(
    ("shard", "sentence"),
    [
        ("3", "--shard 3 is not a share: give K/N, such as 3/64"),
        ("5/4", "--shard 5/4 is not a share: shards are counted from 1 to 4"),
        ("0/4", "shards are counted from 1 to 4; an index from 0, such as JOB_COMPLETION_INDEX, needs 1 added"),
    ],
)
def test_what_is_no_share_is_refused(shard: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = Spread(shard=shard).share
    assert str(caught.value).endswith(sentence)


def test_a_job_is_asked_for_by_flags_or_by_places(tmp_path: Path) -> None:
    assert not is_spread("in.csv", "out.csv", Spread())
    assert not is_spread("-", "-", Spread())
    assert is_spread("in.csv", "out.csv", Spread(ray="local"))
    assert is_spread("in.csv", "out/", Spread())
    assert is_spread(str(tmp_path), "out.csv", Spread())
    assert is_spread("s3://bucket/new", "out.csv", Spread())


def test_a_core_costs_its_share_of_a_machine(tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(PRICES, encoding="utf-8")
    assert core_hour(None, None, None) is None
    assert core_hour(0.05, None, None) == (0.05, "")
    assert core_hour(None, table, None) == (0.05, "EUR")
    assert core_hour(None, table, "large") == (0.025, "EUR")
    with pytest.raises(UsageError, match="has no machine huge: it has small, large"):
        core_hour(None, table, "huge")
    with pytest.raises(UsageError, match="--machine goes with --prices"):
        core_hour(None, None, "large")
    with pytest.raises(UsageError, match="were both given"):
        core_hour(0.05, table, None)
