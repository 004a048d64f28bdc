"""One part on its way: it goes on where it stopped, and nothing but the right bytes gets its name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bertline.bundle import Manifest
from bertline.registry.fetch import part as part_module
from bertline.registry.fetch.address import parse_address
from bertline.registry.fetch.part import ATTEMPTS, PARTIAL, Stopped, Transfer
from bertline.registry.fetch.source import Altered, LinkError, Part

CONTENT = bytes(range(256)) * 40
ADDRESS = parse_address("s3://models/reviews")
PART = Part("engines/model.onnx", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Flaky:
    """Sends ``content`` in chunks; each connection breaks after as many as ``breaks`` says, the last one does not."""

    manifest, signature = b"", None

    def __init__(self, content: bytes = CONTENT, breaks: Sequence[int] = ()) -> None:
        self.content, self.breaks, self.starts = content, list(breaks), list[int]()

    def parts(self, manifest: Manifest) -> Sequence[Part]:
        return [PART]

    def read(self, part: Part, start: int) -> Iterator[bytes]:
        self.starts.append(start)
        left = self.breaks.pop(0) if self.breaks else len(self.content)
        for at in range(start, len(self.content), 1000):
            if left == 0:
                raise LinkError("s3://models/reviews cannot be reached (connection reset): check the network")
            left -= 1
            yield self.content[at : at + 1000]

    def unpack(self, staging: Path, manifest: Manifest) -> None: ...


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "BACKOFF_S", 0.0)


def partial(staging: Path) -> list[Path]:
    return list((staging / PARTIAL).iterdir())


def test_a_part_that_is_whole_has_its_name(tmp_path: Path) -> None:
    sizes: list[tuple[int, bool]] = []
    Transfer(Flaky(), ADDRESS, tmp_path, lambda size, new: sizes.append((size, new))).fetch(PART)
    assert (tmp_path / PART.path).read_bytes() == CONTENT
    assert sum(size for size, new in sizes if new) == len(CONTENT)
    assert partial(tmp_path) == []


def test_a_broken_connection_is_made_again_and_goes_on(tmp_path: Path) -> None:
    source = Flaky(breaks=[3, 2, 0, 0, 1])
    Transfer(source, ADDRESS, tmp_path).fetch(PART)
    assert source.starts == [0, 3000, 5000, 5000, 5000, 6000]
    assert (tmp_path / PART.path).read_bytes() == CONTENT


def test_a_transfer_ends_after_some_attempts_without_a_byte_and_the_next_one_goes_on(tmp_path: Path) -> None:
    source = Flaky(breaks=[4, *[0] * ATTEMPTS])
    with pytest.raises(LinkError, match="connection reset"):
        Transfer(source, ADDRESS, tmp_path).fetch(PART)
    assert [path.stat().st_size for path in partial(tmp_path)] == [4000]
    assert not (tmp_path / PART.path).exists()
    received = []
    Transfer(Flaky(), ADDRESS, tmp_path, lambda size, new: received.append(size * new)).fetch(PART)
    assert sum(received) == len(CONTENT) - 4000
    assert (tmp_path / PART.path).read_bytes() == CONTENT


def test_an_object_that_ends_early_is_named(tmp_path: Path) -> None:
    sentence = (
        "engines/model.onnx of s3://models/reviews ended after 5,000 of 10,240 bytes: check the connection and run"
    )
    with pytest.raises(LinkError, match=re.escape(sentence)):
        Transfer(Flaky(CONTENT[:5000]), ADDRESS, tmp_path).fetch(PART)


def test_a_changed_byte_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    changed = CONTENT[:7000] + b"!" + CONTENT[7001:]
    sentence = (
        "engines/model.onnx at s3://models/reviews is not the file that its manifest lists (another SHA-256): it was "
        "altered there or on the way; pull it again, and if that fails, push the bundle again with --overwrite"
    )
    with pytest.raises(Altered, match=re.escape(sentence)):
        Transfer(Flaky(changed), ADDRESS, tmp_path).fetch(PART)
    assert partial(tmp_path) == []
    assert not (tmp_path / PART.path).exists()


def test_what_a_crash_left_damaged_is_fetched_again(tmp_path: Path) -> None:
    with pytest.raises(LinkError):
        Transfer(Flaky(breaks=[4, *[0] * ATTEMPTS]), ADDRESS, tmp_path).fetch(PART)
    partial(tmp_path)[0].write_bytes(b"?" * 4000)
    source = Flaky()
    Transfer(source, ADDRESS, tmp_path).fetch(PART)
    assert source.starts == [4000, 0]
    assert (tmp_path / PART.path).read_bytes() == CONTENT


def test_more_bytes_than_the_manifest_says_are_not_written(tmp_path: Path) -> None:
    Transfer(Flaky(CONTENT + b"more" * 1000), ADDRESS, tmp_path).fetch(PART)
    assert (tmp_path / PART.path).read_bytes() == CONTENT


def test_a_part_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    Transfer(Flaky(), ADDRESS, tmp_path).fetch(PART)
    source = Flaky()
    Transfer(source, ADDRESS, tmp_path).fetch(PART)
    assert source.starts == []


def test_a_stopped_transfer_ends_and_keeps_what_arrived(tmp_path: Path) -> None:
    transfer = Transfer(Flaky(), ADDRESS, tmp_path, lambda _, __: transfer.stop.set())
    with pytest.raises(Stopped, match="the transfer from s3://models/reviews was stopped"):
        transfer.fetch(PART)
    assert [path.stat().st_size for path in partial(tmp_path)] == [1000]
