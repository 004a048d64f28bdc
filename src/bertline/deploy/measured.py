"""What one server of a bundle needs and does on one machine: the figures from which a chart is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bertline.errors import DataError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SHORTEST_START_S = 60  # allowed for a start: a node that is busy or reads from a cold disk is far slower
START_MARGIN = 10  # times the measured start
MIB = 2**20


class ServerFigures(BaseModel):
    """Figures of one server.

    Attributes:
        throughput_rps: requests of one text per second that it sustains.
        load_s: from the start of the process until it is ready.
        memory_bytes: peak of the server and its workers under load.
        threads: cores that it used.
        engine: its name.
        machine: the processor, for people.
        date: of the measurement, as in 2026-11-29.
        in_flight: requests in flight at which it reaches most of its throughput; None: not measured.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    throughput_rps: Positive
    load_s: Positive
    memory_bytes: Annotated[int, Field(gt=0)]
    threads: Annotated[int, Field(ge=1)]
    engine: str
    machine: str
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d")]
    in_flight: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _within(cls, content: Any) -> Any:
        """A plan has them among its other results."""
        return content["measured"] if isinstance(content, dict) and "measured" in content else content

    @property
    def startup_s(self) -> int:
        """The time to allow for a start."""
        return max(SHORTEST_START_S, round(START_MARGIN * self.load_s))

    @property
    def target_in_flight(self) -> int:
        """Requests in flight per replica for which an autoscaler aims; without a measurement, two per core."""
        return self.in_flight or 2 * self.threads

    def mebibytes(self, factor: float = 1.0) -> str:
        """The peak of memory times a factor, rounded up to 64 MiB, as Kubernetes writes it.

        >>> ServerFigures(throughput_rps=9, load_s=1, memory_bytes=300 * 2**20, threads=2, engine="fp32", machine="",
        ...          date="2026-11-29").mebibytes(1.25)
        '384Mi'
        """
        return f"{-int(-self.memory_bytes * factor // (64 * MIB)) * 64}Mi"


def read_measured(path: Path) -> ServerFigures:
    """The figures in a JSON file, such as ``bertline plan`` writes.

    Raises:
        DataError: it cannot be read, or a figure is missing or impossible.
    """
    try:
        return ServerFigures.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give the output of bertline plan --json") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: {field}: {first['msg']}; give the output of bertline plan --json") from None
