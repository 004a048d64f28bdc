"""The user's table of machines and prices, in TOML; bertline ships no prices, because they change and differ."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bertline.config import nearest
from bertline.deploy.capacity.service_times import ServiceTimes
from bertline.errors import UsageError

EXAMPLE = "the guide's page on capacity has an example"


class Machine(BaseModel):
    """One kind of machine.

    Attributes:
        name: for people.
        cores: of the machine.
        memory_gb: of the machine, in GiB.
        price_per_hour: in the table's currency.
        measured: file written by ``bertline plan --json`` on such a machine, relative to the table; without it, the
            machine is taken to be as fast as this one, core by core. With it, a replica has the machine for itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    cores: int = Field(ge=1)
    memory_gb: float = Field(gt=0)
    price_per_hour: float = Field(gt=0)
    measured: Path | None = None


class PriceTable(BaseModel):
    """Machines of one region, with the date and the source of their prices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(min_length=1)
    region: str = Field(min_length=1)
    date: datetime.date
    source: str = Field(min_length=1)
    machine: tuple[Machine, ...] = Field(min_length=1)

    @property
    def sentence(self) -> str:
        """Where the prices are from."""
        return f"prices of {self.date} in {self.currency}, {self.region}, from {self.source}"


def read_prices(path: Path) -> PriceTable:
    """The price table in a file.

    Raises:
        UsageError: it cannot be read; the message names the file, the line and the field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read ({reason}): name a price table; {EXAMPLE}") from None
    try:
        return PriceTable.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML ({error}): correct that line") from None
    except ValidationError as error:
        raise UsageError(_sentence(path, text, error)) from None


def read_measured(path: Path) -> list[ServiceTimes]:
    """The measurements of another machine, from the output of ``bertline plan --json`` there.

    Raises:
        UsageError: it is not such a file.
    """
    try:
        content = _Measured.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): write it with bertline plan --json") from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"])) or "its content"
        raise UsageError(
            f"{path} is not an output of bertline plan --json ({place}: {fault['msg']}): write it on that machine"
        ) from None
    return list(content.times)


class _Measured(BaseModel):
    times: tuple[ServiceTimes, ...] = Field(min_length=1)


def _sentence(path: Path, text: str, error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    loc = fault["loc"]
    inside = len(loc) > 1 and loc[0] == "machine"
    field = str(loc[-1])
    number = int(loc[1]) if inside else None
    known = Machine.model_fields if inside else PriceTable.model_fields
    where = f"{path} line {_line(text, field, number)}"
    of = "" if number is None else f" of machine {number + 1}"
    if fault["type"] == "missing":
        return f"{where} lacks {field}{of}: add it; {EXAMPLE}"
    if fault["type"] == "extra_forbidden":
        return f"{where} has an unknown field {field}{of}{nearest(field, known)}"
    reason = fault["msg"][:1].lower() + fault["msg"][1:]
    if field == "price_per_hour" and fault["input"] == 0:
        reason = "fill in what the machine costs you"
    return f"{where} has {field}{of} {_shown(fault['input'])}: {reason}"


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float | bool) else "of another type"


def _line(text: str, field: str, machine: int | None) -> int:
    """The line of a field, or of the table that lacks it."""
    lines, start, seen = text.splitlines(), 0, -1
    if machine is not None:
        for number, line in enumerate(lines):
            if re.match(r"\s*\[\[\s*machine\s*\]\]", line):
                seen += 1
                if seen == machine:
                    start = number
                    break
    for number, line in enumerate(lines[start + (machine is not None) :], start + (machine is not None)):
        if re.match(r"\s*\[", line):
            break
        if re.match(rf'\s*"?{re.escape(field)}"?\s*=', line):
            return number + 1
    return start + 1
