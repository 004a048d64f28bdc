"""What the tests of clusters run in workers."""

from __future__ import annotations

import os
import time

from bertline.data.rows import TableFault
from bertline.errors import DataError


class Thing:
    def __init__(self, number: int) -> None:
        self._number = number

    def number(self) -> int:
        return self._number

    def process(self) -> int:
        return os.getpid()

    def node(self) -> str:
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def fail(self, sort: str) -> None:
        if sort == "plain":
            raise DataError("a plain fault: mend it")
        raise TableFault("new.csv", "is empty", "it needs rows")
