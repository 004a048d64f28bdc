"""``bertline models add``, ``list``, ``show``, ``sign`` and ``verify`` with the registry, as one types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sql
import typer
from pydantic import JsonValue
from typer.testing import CliRunner, Result

from bertline.bundle import load
from bertline.bundle.signing import new_key, read_private_key
from bertline.bundle.verdict import SignedVerdict, Verdict
from bertline.cli import models, predict
from bertline.errors import RegistryError, UsageError
from bertline.registry.database import Database
from bertline.registry.schema import VERDICTS
from bertline.testing.tiny import write_tiny_bundle
from tests.registered import new_registry

app = typer.Typer(pretty_exceptions_enable=False)
for verb in (models, predict):
    verb.register(app)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its URL."""
    url = new_registry(tmp_path)
    monkeypatch.setenv("BERTLINE_REGISTRY", url)
    monkeypatch.setenv("BERTLINE_STORE", str(tmp_path / "store"))
    return url


def test_a_bundle_is_added_listed_and_shown(bundle: Path, tmp_path: Path) -> None:
    digest = load(bundle).manifest.checksum
    address = f"file:{tmp_path / 'store'}@sha256:{digest}"
    assert run("models", "add", bundle, "--name", "films").output == f"{bundle} is films:1, at {address}\n"
    assert run("models", "add", bundle, "--name", "films").output == f"{bundle} was already films:1, at {address}\n"
    run("models", "promote", "films:1", "--force", "first")
    head, line, *_ = run("models", "list").output.splitlines()
    assert head.split() == ["model", "aliases", "added", "(UTC)", "task", "figure", "(95", "%", "interval)", "digest"]
    assert re.fullmatch(rf"films:1 +champion +\d{{4}}-\d\d-\d\d \d\d:\d\d +classify +- +{digest[:12]}", line)
    (said,) = json.loads(run("models", "list", "films", "--json").output)
    assert (said["version"], said["aliases"], said["address"]) == (1, ["champion"], address)
    shown = run("models", "show", "films@champion").output
    assert re.search(rf"^digest +{digest}$", shown, re.MULTILINE)
    facts = json.loads(run("models", "show", "films", "--json").output)["facts"]
    assert facts["max_tokens"] == load(bundle).manifest.max_tokens


def test_the_linear_model_of_words_is_shown_among_the_engines(tmp_path: Path) -> None:
    words = {"rows": 9, "accuracy": 0.9, "encoder_accuracy": 0.5}
    write_tiny_bundle(tmp_path / "kept", engine=True, metrics={"words": words})
    run("models", "add", tmp_path / "kept", "--name", "kept")
    assert re.search(r"^engines +fp32, words$", run("models", "show", "kept:1").output, re.MULTILINE)


def test_a_verdict_is_kept_with_the_version_and_shown(bundle: Path, tmp_path: Path) -> None:
    def verdict(challenger: str) -> Path:
        details: dict[str, JsonValue] = {
            "checks": [{"name": "bounds · a.csv", "decision": "no", "sentence": "accuracy is 0.7", "figures": {}}],
            "data": {"a.csv": {"rows": 1066, "sha256": "ab"}},
        }
        made = Verdict(
            challenger=challenger, champion=None, decision="no", created="2026-11-30T08:00:00Z", details=details
        )
        (tmp_path / "verdict.json").write_bytes(SignedVerdict(verdict=made).to_file())
        return tmp_path / "verdict.json"

    with pytest.raises(UsageError, match=r"is about the bundle 111111111111, and .* is .*: give the verdict on this"):
        run("models", "add", bundle, "--name", "films", "--verdict", verdict("1" * 64))
    run("models", "add", bundle, "--name", "films")
    run("models", "add", bundle, "--name", "films", "--verdict", verdict(load(bundle).manifest.checksum))
    shown = run("models", "show", "films:1").output
    line = r"^gate +no, .* UTC, 1,066 rows, without a champion, unsigned: bounds · a\.csv: accuracy is 0\.7$"
    assert re.search(line, shown, re.MULTILINE), shown
    (kept,) = json.loads(run("models", "show", "films:1", "--json").output)["verdicts"]
    assert kept.items() >= json.loads((tmp_path / "verdict.json").read_text()).items()
    assert (kept["changed"], kept["signature"]) == (False, "unsigned")


def test_a_version_shows_whether_its_verdict_is_signed_or_was_changed(
    bundle: Path, registry: str, tmp_path: Path
) -> None:
    digest = load(bundle).manifest.checksum
    key = new_key(tmp_path / "gate.key")
    made = Verdict(challenger=digest, champion=None, decision="yes", created="2026-11-30T08:00:00Z")
    signed = SignedVerdict(verdict=made).signed(read_private_key(tmp_path / "gate.key"))
    (tmp_path / "verdict.json").write_bytes(signed.to_file())
    run("models", "add", bundle, "--name", "films", "--verdict", tmp_path / "verdict.json")
    line = f"2026-11-30 08:00:00 UTC, without a champion, signed by key {key.id}"
    assert f"{line}, not verified\n" in run("models", "show", "films:1").output
    trusted = "models", "show", "films:1", "--trust", tmp_path / "gate.key.pub"
    assert f"{line}, verified\n" in run(*trusted).output
    assert json.loads(run(*trusted, "--json").output)["verdicts"][0]["signature"] == "verified"
    with Database(registry) as database, database.changing() as connection:
        changed = signed.model_dump_json().replace('"yes"', '"no"')
        connection.execute(sql.update(VERDICTS).values(content=changed))
    said = (
        f"the verdict {made.hash[:12]}, 2026-11-30 08:00:00 UTC, was changed after it was written: do not "
        "rely on it, and restore the registry from a backup\n"
    )
    assert said in run("models", "show", "films:1").output
    assert json.loads(run("models", "show", "films:1", "--json").output)["verdicts"] == [
        {"hash": made.hash, "changed": True}
    ]


def test_an_empty_registry_says_how_to_fill_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTLINE_REGISTRY", f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(RegistryError, match="there is no registry at"):
        run("models", "list")
    (tmp_path / "none.db").touch()
    assert "is empty: bertline models add BUNDLE --name NAME" in run("models", "list").stderr


def test_a_version_is_signed_and_verified_by_its_name(bundle: Path, tmp_path: Path) -> None:
    run("models", "add", bundle, "--name", "films")
    run("models", "key", "new", tmp_path / "release.key")
    signed = run("models", "sign", "models:/films/1", "--key", tmp_path / "release.key").output
    assert re.fullmatch(r"models:/films/1 is signed by key [0-9a-f]{16} at .*Z\n", signed)
    verified = run("models", "verify", "models:/films/1", "--trust", tmp_path / "release.key.pub").output
    assert "is signed by key" in verified
    assert not (bundle / "bertline.json.sig").exists()
