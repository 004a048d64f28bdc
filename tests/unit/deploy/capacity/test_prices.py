"""A price table is the user's; what is wrong in it is named by file, line and field."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bertline.deploy.capacity.prices import read_measured, read_prices
from bertline.errors import UsageError

ROOT = Path(__file__).parents[4]
TABLE = """currency = "EUR"
region = "here"
date = 2026-11-01
source = "an invoice"

[[machine]]
name = "small"
cores = 2
memory_gb = 4
price_per_hour = 0.1

[[machine]]
name = "large"
cores = 8
memory_gb = 16
price_per_hour = 0.4
"""


def fault(place: Path, text: str) -> str:
    path = place / "prices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_prices(path)
    return str(caught.value).removeprefix(f"{path} ")


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(TABLE, encoding="utf-8")
    table = read_prices(path)
    assert [one.name for one in table.machine] == ["small", "large"]
    assert table.date == datetime.date(2026, 11, 1)
    assert table.sentence == "prices of 2026-11-01 in EUR, here, from an invoice"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "memory_gb = 16\nprice_per_hour",
            "memory_gb = 16\nprice_per_hr",
            "line 12 lacks price_per_hour of machine 2: add it; the guide's page on capacity has an example",
        ),
        (
            "cores = 8",
            "cores = 8\nspeed = 3",
            "line 15 has an unknown field speed of machine 2: valid names are cores, measured, memory_gb, name, "
            "price_per_hour",
        ),
        ("= 0.4", "= 0.0", "line 16 has price_per_hour of machine 2 0.0: fill in what the machine costs you"),
        ("cores = 2", 'cores = "two"', "line 8 has cores of machine 1 'two': input should be a valid integer"),
        ("date = 2026-11-01\n", "", "line 1 lacks date: add it; the guide's page on capacity has an example"),
        ('region = "here"', 'regoin = "here"', "line 1 lacks region: add it;"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in TABLE
    assert fault(tmp_path, TABLE.replace(old, new)).startswith(sentence)


def test_what_is_no_toml_and_what_is_not_there(tmp_path: Path) -> None:
    assert fault(tmp_path, "currency = EUR").startswith("is not valid TOML (")
    with pytest.raises(UsageError, match=r"missing.toml cannot be read \(No such file or directory\)"):
        read_prices(tmp_path / "missing.toml")


def test_measurements_of_another_file(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    path.write_text('{"times": []}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"gpu.json is not an output of bertline plan --json \(times: "):
        read_measured(path)


def test_the_example_of_the_guide_wants_to_be_filled_in(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guide" / "deploy" / "plan.md").read_text(encoding="utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]
    assert fault(tmp_path, example) == (
        "line 10 has price_per_hour of machine 1 0.0: fill in what the machine costs you"
    )
    path = tmp_path / "prices.toml"
    path.write_text(example.replace("price_per_hour = 0.0", "price_per_hour = 0.5"), encoding="utf-8")
    assert [one.cores for one in read_prices(path).machine] == [2, 4, 8]
