"""Nobody who logs waits, whatever the stream does."""

from __future__ import annotations

import io
import os
import threading

from bertline.monitoring.logs.writer import LogWriter


def lost(lines: int) -> str:
    return f"lost {lines}"


class Blocked(io.StringIO):
    """A pipe that nobody empties until ``gate`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.entered = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.gate.wait(30)
        return super().write(text)


def test_lines_come_in_their_order_and_all_of_them() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream, lost)
    for number in range(5000):
        writer.put(str(number))
    writer.close()
    assert stream.getvalue().splitlines() == [str(number) for number in range(5000)]
    assert writer.dropped == 0


def test_a_blocked_stream_drops_lines_and_says_how_many_once_it_moves() -> None:
    stream = Blocked()
    writer = LogWriter(stream, lost, capacity=10)
    writer.put("first")
    assert stream.entered.wait(30)
    for number in range(25):
        writer.put(str(number))
    assert writer.dropped == 15
    stream.gate.set()
    writer.close()
    assert stream.getvalue().splitlines() == ["first", *map(str, range(10)), "lost 15"]


def test_a_pipe_that_is_full_blocks_nobody() -> None:
    reader, end = os.pipe()
    with os.fdopen(end, "w") as stream, os.fdopen(reader) as read:
        writer = LogWriter(stream, lost, capacity=100)
        for _ in range(400):
            writer.put("x" * 10_000)  # the system holds 65,536 bytes
        assert writer.dropped > 0
        whole: list[str] = []
        reading = threading.Thread(target=lambda: whole.extend(read))
        reading.start()
        writer.close(30)
        stream.close()
        reading.join(30)
    told = [line for line in whole if line.startswith("lost")]
    assert sum(int(line.split()[1]) for line in told) == writer.dropped
    assert len(whole) - len(told) == 400 - writer.dropped


def test_a_broken_stream_ends_no_process() -> None:
    reader, end = os.pipe()
    os.close(reader)
    stream = os.fdopen(end, "w")
    writer = LogWriter(stream, lost)
    writer.put("a")
    writer.close()
    assert writer.dropped == 1
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - what is left in the buffer must go somewhere
        os.dup2(nowhere.fileno(), stream.fileno())
    stream.close()


def test_trailing_bytes_are_counted() -> None:
    writer = LogWriter(io.StringIO(), lost)
    writer.close()
    writer.put("late")
    writer.close()
    assert writer.dropped == 1
