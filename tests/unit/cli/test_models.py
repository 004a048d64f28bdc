"""``bertline models``: keys, signing, checking, as one types it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.bundle import load
from bertline.bundle.signing import read_public_key
from bertline.cli.models import register
from bertline.errors import BundleError, UsageError

app = typer.Typer(pretty_exceptions_enable=False)
register(app)


@app.callback()
def _several_verbs() -> None:
    """Without it typer would drop the verb's name."""


def models(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "reviews"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key; the public one is beside it."""
    assert models("key", "new", tmp_path / "release.key").exit_code == 0
    return tmp_path / "release.key"


def test_a_key_is_made_and_a_bundle_signed_and_verified(copy: Path, key: Path) -> None:
    id_ = read_public_key(Path(f"{key}.pub")).id
    result = models("sign", copy, "--key", key)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(rf"{copy} is signed by key {id_} at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", result.stdout)
    result = models("verify", copy, "--trust", f"{key}.pub")
    assert result.exit_code == 0, result.output
    found = load(copy)
    files = len(found.manifest.files)
    sentence = rf"{copy} \(version {found.version}\) is signed by key {id_} at .*Z; all {files} files match"
    assert re.fullmatch(sentence + "\n", result.stdout)


def test_the_key_that_is_made_is_named(tmp_path: Path) -> None:
    result = models("key", "new", tmp_path / "k")
    id_ = read_public_key(tmp_path / "k.pub").id
    assert result.stdout == f"key {id_}: {tmp_path / 'k'} signs, {tmp_path / 'k'}.pub verifies\n"


def test_signatures_can_be_read_as_json(copy: Path, key: Path) -> None:
    models("sign", copy, "--key", key)
    found = json.loads(models("verify", copy, "--trust", f"{key}.pub", "--json").stdout)
    assert found.pop("signed_at").endswith("Z")
    id_ = read_public_key(Path(f"{key}.pub")).id
    assert found == {"bundle": str(copy), "version": load(copy).version, "key": id_}


def test_one_of_several_trusted_keys_is_enough(copy: Path, key: Path, tmp_path: Path) -> None:
    models("key", "new", tmp_path / "next.key")
    models("sign", copy, "--key", tmp_path / "next.key")
    assert models("verify", copy, "--trust", f"{key}.pub", "--trust", tmp_path / "next.key.pub").exit_code == 0
    assert isinstance(models("verify", copy, "--trust", f"{key}.pub").exception, BundleError)


def test_an_altered_bundle_is_refused(copy: Path, key: Path) -> None:
    models("sign", copy, "--key", key)
    (copy / "vocab.txt").write_text("other words")
    result = models("verify", copy, "--trust", f"{key}.pub")
    assert isinstance(result.exception, BundleError)
    assert "vocab.txt in" in str(result.exception)
    assert result.stdout == ""


def test_without_a_key_to_trust_nothing_is_verified(copy: Path) -> None:
    result = models("verify", copy)
    assert result.exit_code == 2
    assert "--trust" in result.output


def test_a_passphrase_comes_from_a_file(copy: Path, tmp_path: Path) -> None:
    secret, key = tmp_path / "passphrase", tmp_path / "release.key"
    secret.write_bytes("grüße aus köln\nanother line".encode())
    assert models("key", "new", key, "--passphrase-file", secret).exit_code == 0
    assert b"ENCRYPTED" in key.read_bytes()
    assert models("sign", copy, "--key", key, "--passphrase-file", secret).exit_code == 0
    result = models("sign", copy, "--key", key)
    assert isinstance(result.exception, UsageError)
    assert "--passphrase-file" in str(result.exception)


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "the first line of .* is empty"), (b"\nsecret", "is empty"), (None, "cannot be read")]
)
def test_a_passphrase_file_without_a_passphrase_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "passphrase").write_bytes(content)
    result = models("key", "new", tmp_path / "release.key", "--passphrase-file", tmp_path / "passphrase")
    assert isinstance(result.exception, UsageError)
    assert re.search(told, str(result.exception))
    assert not (tmp_path / "release.key").exists()
