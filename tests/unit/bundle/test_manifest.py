from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bertline.bundle.fields import safe_path
from bertline.bundle.manifest import FileRecord, Manifest, parse
from bertline.errors import BundleError
from bertline.tasks.classify.spec import Spec

TASK = {"task": "classify", "labels": ["negative", "positive"]}
FORMAT_1 = Path(__file__).with_name("format_1.json").read_bytes()  # by the last version that wrote it
RECORD = FileRecord(sha256="a" * 64, bytes=3)


def resealed(content: dict[str, Any]) -> bytes:
    """What a tool that keeps the format's rule, but not its entries, would write."""
    content = {key: value for key, value in content.items() if key != "checksum"} | {"checksum": "0" * 64}
    raw = (json.dumps(content, indent=2) + "\n").encode()
    return raw.replace(b"0" * 64, hashlib.sha256(raw).hexdigest().encode())


def test_a_sealed_manifest_is_read_back_whole(manifest: Manifest) -> None:
    sealed, raw = manifest.sealed({"vocab.txt": RECORD, "config.json": RECORD})
    assert parse(raw, "reviews") == sealed
    assert list(sealed.files) == ["config.json", "vocab.txt"]
    assert sealed.labels == ("negative", "positive")


def test_the_checksum_is_the_hash_of_the_file_with_its_digits_zeroed(manifest: Manifest) -> None:
    sealed, raw = manifest.sealed({"vocab.txt": RECORD})
    zeroed = raw.replace(sealed.checksum.encode(), b"0" * 64)
    assert hashlib.sha256(zeroed).hexdigest() == sealed.checksum


def test_any_changed_byte_is_noticed(manifest: Manifest) -> None:
    _, raw = manifest.sealed({"vocab.txt": RECORD})
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 0x20  # also turns a hexadecimal a into A
        with pytest.raises(BundleError, match=r"bertline\.json of reviews"):
            parse(bytes(altered), "reviews")


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_truncated_file_is_called_truncated(manifest: Manifest, length: int) -> None:
    _, raw = manifest.sealed({})
    with pytest.raises(BundleError, match="truncated or altered: copy or download the bundle again"):
        parse(raw[:length], "reviews")


def test_a_newer_format_says_to_upgrade(manifest: Manifest) -> None:
    _, raw = manifest.sealed({})
    newer = resealed(json.loads(raw) | {"format_version": 3, "windows": 3})
    with pytest.raises(BundleError, match=r"format version 3 and .* reads up to 2: upgrade with pip"):
        parse(newer, "reviews")


def test_an_unknown_entry_is_named_with_a_suggestion(manifest: Manifest) -> None:
    _, raw = manifest.sealed({})
    with pytest.raises(BundleError, match=r"unknown entry 'trainning' \(did you mean 'training'\?\)"):
        parse(resealed(json.loads(raw) | {"trainning": {}}), "reviews")


def test_a_missing_entry_is_named_and_never_defaulted(manifest: Manifest) -> None:
    _, raw = manifest.sealed({})
    content = {key: value for key, value in json.loads(raw).items() if key not in ("created", "task")}
    with pytest.raises(BundleError, match="lacks created, task: write the bundle again"):
        parse(resealed(content), "reviews")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"task": TASK | {"temperature": 0}}, "task: temperature: Input should be greater than 0"),
        ({"task": TASK | {"labels": ["same", "same"]}}, "task: labels: two labels are the same"),
        ({"task": TASK | {"labels": ["only"]}}, "task: labels: there have to be at least 2"),
        ({"task": TASK | {"problem": "number"}}, "task: labels: a number has one name"),
        ({"task": TASK | {"thresholds": [0.5, 0.5]}}, "task: thresholds: give one for each label"),
        ({"task": TASK | {"task": "sing"}}, "task: the task 'sing' is unknown; valid names: .*classify"),
        ({"task": "classify"}, "task: an object with the name of a task is expected"),
        (
            {"files": {"../key": {"sha256": "a" * 64, "bytes": 1}}},
            r"'\.\./key' is not a path of a file inside",
        ),
        ({"format_version": 0}, "format_version: Input should be 2"),
    ],
)
def test_a_wrong_entry_is_named(manifest: Manifest, entry: dict[str, Any], message: str) -> None:
    _, raw = manifest.sealed({})
    with pytest.raises(BundleError, match=message):
        parse(resealed(json.loads(raw) | entry), "reviews")


@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"'])
def test_json_that_is_not_an_object_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match="does not end with its checksum"):
        parse(content, "reviews")


def test_json_nested_too_deeply_is_refused(manifest: Manifest) -> None:
    _, raw = manifest.sealed({})
    deep = b"[" * 100_000 + b"]" * 100_000
    content = raw.replace(b'"training": {}', b'"training": {"a": ' + deep + b"}")
    zeroed = content.replace(json.loads(raw)["checksum"].encode(), b"0" * 64)
    forged = zeroed.replace(b"0" * 64, hashlib.sha256(zeroed).hexdigest().encode())
    with pytest.raises(BundleError, match="is not JSON"):
        parse(forged, "reviews")


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../other",
        "a/../b",
        "a//b",
        "a/",
        "./a",
        "C:/a",
        "a\\b",
        "a\nb",
        "bertline.json",
    ],
)
def test_a_path_that_could_leave_the_bundle_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path of a file inside the bundle"):
        safe_path(path)


@pytest.mark.parametrize("path", ["a", ".gitattributes", "engines/onnx/model.onnx", "ein Blatt.txt", "图.svg"])
def test_a_plain_path_is_kept(path: str) -> None:
    assert safe_path(path) == path


def test_facts_become_json(manifest: Manifest) -> None:
    facts = {"ece": math.nan, "f1": np.float32(0.5), "rows": np.int64(3), "shape": (1, 2), 7: np.arange(2)}
    built = Manifest(**{**dict(manifest), "metrics": facts, "data": {"source": "bad \udc80 name"}})
    assert built.metrics == {"ece": None, "f1": 0.5, "rows": 3, "shape": [1, 2], "7": [0, 1]}
    assert built.data == {"source": "bad ? name"}
    assert parse(built.sealed({})[1], "reviews").metrics == built.metrics


def test_a_manifest_of_format_1_is_that_of_a_classifier_of_one_label() -> None:
    read = parse(FORMAT_1, "reviews")
    assert read.task == Spec(problem="single", labels=("negative", "positive"), temperature=1.25)
    assert (read.metrics, read.files) == ({"rows": 3}, {"vocab.txt": RECORD})
    assert parse(read.sealed(read.files)[1], "reviews").task == read.task


def test_format_1_has_exactly_its_entries() -> None:
    content = json.loads(FORMAT_1)
    with pytest.raises(BundleError, match="lacks temperature: write the bundle again"):
        parse(resealed({key: one for key, one in content.items() if key != "temperature"}), "reviews")
    with pytest.raises(BundleError, match=r"unknown entry 'tempreture' \(did you mean 'temperature'\?\)"):
        parse(resealed(content | {"tempreture": 2.0}), "reviews")


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "x" * 201])
def test_a_name_is_one_path_component(manifest: Manifest, name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        Manifest(**{**dict(manifest), "name": name})


def test_a_label_that_is_not_unicode_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ValidationError, match="labels"):
        Manifest(**{**dict(manifest), "labels": ("good", "\ud800")})
