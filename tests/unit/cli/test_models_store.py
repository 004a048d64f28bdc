"""``bertline models push``, ``pull`` and ``cache``, and addresses in place of bundles, as one types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bertline.bundle import load
from bertline.cli import evaluate, models, predict
from bertline.cli.serve import named_bundles
from bertline.errors import BundleError, UsageError

app = typer.Typer(pretty_exceptions_enable=False)
for verb in (models, predict, evaluate):
    verb.register(app)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def address(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = run("models", "push", bundle, f"file:{tmp_path / 'shelf'}:stable")
    pinned = f"file:{tmp_path / 'shelf'}@sha256:{load(bundle).manifest.checksum}"
    assert result.output == f"{bundle} is at {pinned}\n"
    return f"file:{tmp_path / 'shelf'}:stable"


def test_a_bundle_is_pulled_to_a_directory(address: str, bundle: Path, tmp_path: Path) -> None:
    result = run("models", "pull", address, "--out", tmp_path / "out")
    name, version = load(bundle).manifest.name, load(bundle).version
    assert re.fullmatch(rf"{tmp_path / 'out'} is {name} \(version {version}\); [\d,]+ bytes received\n", result.output)
    assert load(tmp_path / "out").version == version


def test_without_a_directory_it_is_in_the_cache(address: str, tmp_path: Path) -> None:
    pulled = json.loads(run("models", "pull", address, "--json").stdout)
    listed = json.loads(run("models", "cache", "--json").stdout)
    assert [one["bundle"] for one in listed["bundles"]] == [pulled["bundle"]]
    assert listed["bundles"][0]["held"]
    assert re.search(r"[0-9a-f]{64}  \S+( \w+)? MB  in use\n", run("models", "cache").output)
    assert run("models", "cache", "--clear").stdout == run("models", "cache").stdout, "this process uses it"


def test_an_address_is_a_bundle_for_the_verbs(address: str, bundle: Path) -> None:
    assert run("predict", address, "fine", "--json").stdout == run("predict", bundle, "fine", "--json").stdout
    assert [*named_bundles([f"film={address}"]).values()] == [*named_bundles([address]).values()]
    with pytest.raises(UsageError, match="gs:// is not a scheme of bundles' addresses: valid ones are"):
        run("predict", "gs://models/reviews", "fine")


def test_a_verb_that_needs_a_directory_names_the_way(address: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is an address, and this takes a directory: fetch the bundle first with"):
        run("models", "push", "s3://models/reviews", tmp_path / "other")


def test_a_bundle_gets_another_tag(address: str, bundle: Path, tmp_path: Path) -> None:
    shelf = address.removesuffix(":stable")
    pinned = f"{shelf}@sha256:{load(bundle).manifest.checksum}"
    assert run("models", "tag", address, "production").output == f"production names {pinned}\n"
    answer = json.loads(run("models", "tag", f"{shelf}:production", "blue", "--json").stdout)
    assert answer == {"address": pinned, "tag": "blue"}
    run("models", "pull", f"{shelf}:blue", "--out", tmp_path / "out")
    assert load(tmp_path / "out").version == load(bundle).version
