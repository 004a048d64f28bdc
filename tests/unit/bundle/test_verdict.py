from __future__ import annotations

import json
from pathlib import Path

import pytest

from bertline.bundle.signing import new_key, read_private_key, read_public_key
from bertline.bundle.verdict import SignedVerdict, Verdict, read_verdict
from bertline.errors import BundleError, UsageError

VERDICT = Verdict(
    challenger="1" * 64, champion=None, decision="yes", created="2026-11-29T10:00:00Z", details={"größer": [1.5]}
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "gate.key")
    return tmp_path / "gate.key"


def written(path: Path, key: Path | None = None) -> Path:
    signed = SignedVerdict(verdict=VERDICT)
    path.write_bytes((signed.signed(read_private_key(key)) if key else signed).to_file())
    return path


def test_a_verdict_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_verdict(written(tmp_path / "verdict.json")) == VERDICT


def test_the_hash_is_the_same_in_every_release_whatever_the_order_and_the_spaces_of_the_file(tmp_path: Path) -> None:
    assert VERDICT.hash == "be7a21261786be5d16ddd9dbaf7d4dc1af11e3cbf94bc192d227d557ebf6f3bc"
    path = written(tmp_path / "verdict.json")
    content = json.loads(path.read_text())
    content["verdict"] = dict(reversed(content["verdict"].items()))
    path.write_text(json.dumps(content))
    assert read_verdict(path).hash == VERDICT.hash


def test_a_signature_by_a_trusted_key_is_required_where_keys_are_given(tmp_path: Path, key: Path) -> None:
    trusted = [read_public_key(Path(f"{key}.pub"))]
    assert read_verdict(written(tmp_path / "signed.json", key), trusted) == VERDICT
    with pytest.raises(BundleError, match=f"has no valid signature by key {trusted[0].id}: let the gate sign it"):
        read_verdict(written(tmp_path / "unsigned.json"), trusted)


def test_a_verdict_that_was_changed_after_it_was_signed_is_refused(tmp_path: Path, key: Path) -> None:
    path = written(tmp_path / "verdict.json", key)
    path.write_text(path.read_text().replace('"1111', '"2111'))
    with pytest.raises(BundleError, match="has no valid signature by key"):
        read_verdict(path, [read_public_key(Path(f"{key}.pub"))])


def test_a_signature_of_a_bundle_does_not_fit_a_verdict(tmp_path: Path, key: Path) -> None:
    from bertline.bundle.signing import signature_of

    public = read_public_key(Path(f"{key}.pub"))
    made = signature_of(VERDICT.content, read_private_key(key))
    assert made.fits(public, VERDICT.content)
    path = tmp_path / "verdict.json"
    path.write_bytes(SignedVerdict(verdict=VERDICT, signatures=(made,)).to_file())
    with pytest.raises(BundleError, match="has no valid signature"):
        read_verdict(path, [public])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("no", "Invalid JSON"),
        ("{}", "verdict: Field required"),
        ('{"verdict": {"decision": "maybe"}}', "verdict.challenger: Field required"),
    ],
)
def test_another_file_is_no_verdict(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(content)
    with pytest.raises(BundleError, match=rf"is not the verdict of a gate \({what}.*\): run the gate again"):
        read_verdict(path)
    with pytest.raises(UsageError, match=r"none\.json cannot be read: No such file or directory; give the file of"):
        read_verdict(tmp_path / "none.json")
