"""A bundle of 90 MB through a real object store: killed, cut, stalled, changed, refused; whole or not there."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bertline.bundle import Bundle, load
from bertline.errors import BertlineError
from bertline.registry.fetch import Cache, local_bundle, parse_address, pull_to, push
from bertline.registry.fetch.source import Altered, Denied, LinkError
from tests.disks import disk, fill
from tests.stores.lossy import Lossy, lossy
from tests.stores.seaweedfs import OWNER, READER, seaweedfs
from tests.unit.registry.fetch.conftest import written

pytestmark = pytest.mark.drill

TEXT = "s3://models/team/reviews"
ADDRESS = parse_address(TEXT)
KILLS = 24
LOST_BYTES = 4 * 10**6  # at most, with each kill: what is under way in four connections
SIZES = {"model.safetensors": 45, "engines/a.onnx": 23, "engines/b.onnx": 16, "embedding.onnx": 6}  # megabytes


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    drawn = random.Random(0)
    files = {path: drawn.randbytes(size * 10**6) for path, size in SIZES.items()}
    return written(tmp_path_factory.mktemp("bundle") / "reviews", files=files | {"config.json": b"{}"})


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lossy]:
    with seaweedfs(tmp_path_factory.mktemp("weed")) as port, lossy(port) as made:
        yield made


@pytest.fixture
def link(proxy: Lossy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lossy:
    """The proxy before the store, counting from zero; the environment names it and the owner's keys."""
    environment = {**OWNER, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
    for name, value in {**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    proxy.reset()
    return proxy


@pytest.fixture
def there(link: Lossy, large: Bundle) -> Lossy:
    """The bundle is in the store."""
    push(large.path, ADDRESS)
    link.reset()
    return link


def total(bundle: Bundle) -> int:
    return sum(file.bytes for file in bundle.manifest.files.values())


def started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bertline.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy())


def test_a_pull_killed_at_any_byte_goes_on_and_verifies(there: Lossy, large: Bundle, tmp_path: Path) -> None:
    out, drawn, kills = tmp_path / "out", random.Random(1), 0
    there.pace_bytes_s = 30e6
    for position in sorted(drawn.randrange(total(large)) for _ in range(KILLS)):
        with started("models", "pull", TEXT, "--out", out) as process:
            while there.sent_bytes < position and process.poll() is None:
                time.sleep(0.001)
            process.kill()
        kills += process.returncode == -9
        assert not out.exists()
    with started("models", "pull", TEXT, "--out", out) as process:
        answer, errors = process.communicate()
    assert process.returncode == 0, errors
    assert load(out).manifest == large.manifest
    twice = there.sent_bytes - total(large)
    print(f"{kills} kills; {twice:,} bytes of {total(large):,} transferred besides the bundle; last: {answer.strip()}")
    assert kills == KILLS
    assert twice < KILLS * LOST_BYTES


def test_a_push_killed_at_any_moment_shows_no_half_bundle_and_goes_on(
    link: Lossy, large: Bundle, tmp_path: Path
) -> None:
    drawn, text = random.Random(2), "s3://models/killed/reviews"
    for _ in range(10):
        with started("models", "push", large.path, text) as process:
            time.sleep(1 + drawn.random())
            process.kill()
        try:
            pulled = pull_to(parse_address(text), tmp_path / "early")
        except BertlineError as error:
            assert "holds no bundle" in str(error)  # noqa: PT017
        else:
            assert load(pulled.path).manifest == large.manifest
            break
    with started("models", "push", large.path, text) as process:
        assert process.wait(120) == 0
    pull_to(parse_address(text), tmp_path / "out")
    assert load(tmp_path / "out").manifest == large.manifest


def test_cuts_and_stalls_are_survived(
    there: Lossy, large: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTLINE_STORE_STALL_S", "1")
    there.cut_at, there.stall_at = 20 * 10**6, 50 * 10**6
    pull_to(ADDRESS, tmp_path / "out")
    assert load(tmp_path / "out").manifest == large.manifest
    assert (there.cut_at, there.stall_at) == (None, None)


def test_a_byte_that_changes_on_the_way_is_refused(there: Lossy, tmp_path: Path) -> None:
    there.flip_at = 30 * 10**6
    with pytest.raises(Altered, match=r"is not the file that its manifest lists \(another SHA-256\)"):
        pull_to(ADDRESS, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    pull_to(ADDRESS, tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({**OWNER, "AWS_SECRET_ACCESS_KEY": "wrong"}, f"{TEXT} refuses the secret key: check AWS_SECRET_ACCESS_KEY"),
        ({**OWNER, "AWS_ACCESS_KEY_ID": "AKIAWRONG"}, f"{TEXT} does not know the access key: check AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_wrong_key_is_one_sentence(
    there: Lossy, keys: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Denied, match=re.escape(sentence)) as caught:
        local_bundle(TEXT)
    assert not [value for value in keys.values() if value in str(caught.value)]


def test_a_reader_pulls_and_does_not_push(there: Lossy, large: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in READER.items():
        monkeypatch.setenv(name, value)
    local_bundle(TEXT)
    with pytest.raises(Denied, match=re.escape("s3://models/other denies access: let the credentials read")):
        push(large.path, parse_address("s3://models/other"))


def test_a_store_that_never_answers_is_one_sentence(link: Lossy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(LinkError, match=r"cannot be reached \(connection refused\): check the network"):
        local_bundle(TEXT)


def test_a_disk_that_fills_up_is_one_sentence_and_is_left_empty(there: Lossy, tmp_path: Path) -> None:
    with disk(tmp_path / "small", megabytes=120) as small:
        filler: list[Path] = []

        def watch(here: int, _: int) -> None:
            if here > 40 * 10**6 and not filler:
                filler.append(fill(small))

        sentence = r"the bundle cannot be written to .*/small/out: No space left on device; free some space, or choose"
        with pytest.raises(BertlineError, match=sentence):
            pull_to(ADDRESS, small / "out", watch=watch)
        assert [path.name for path in small.iterdir()] == ["filler"]
    with disk(tmp_path / "smaller", megabytes=50) as small:
        with pytest.raises(BertlineError, match=r"the bundle needs about \d+ MB at .*, but only \d+ MB are free there"):
            pull_to(ADDRESS, small / "out")
        assert list(small.iterdir()) == []


def test_two_processes_that_want_one_bundle_fetch_it_once(there: Lossy, large: Bundle, tmp_path: Path) -> None:
    there.pace_bytes_s = 30e6
    processes = [started("models", "pull", TEXT) for _ in range(2)]
    answers = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert there.sent_bytes < 1.1 * total(large)
    assert len(Cache(tmp_path / "cache" / "bertline", 10**9).entries()) == 1
