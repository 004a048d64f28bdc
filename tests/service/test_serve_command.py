"""``bertline serve``: its arguments, and what it says before there is a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bertline.cli import serve
from bertline.errors import BundleError, UsageError
from bertline.service import ServeSettings
from bertline.service import run as service_run
from bertline.testing.tiny import write_tiny_bundle

Served = list[tuple[dict[str, Path], ServeSettings]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """What the command would have served."""
    calls: Served = []

    def record(
        bundles: Mapping[str, Path],
        settings: ServeSettings,
        perimeter: Any,
        *,
        on_ready: Any,
        on_exposed: Any,
        following: Any,
    ) -> None:
        calls.append((dict(bundles), settings))
        on_exposed("0.0.0.0:8000")
        version = SimpleNamespace(name="tiny", version="1f2e3d4c", engine="fp32")
        on_ready("http://127.0.0.1:8000", [version])

    monkeypatch.setattr(service_run, "serve", record)
    return calls


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    serve.register(app)
    return app


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("serve") / "tiny"
    write_tiny_bundle(target)
    return target


def test_flags_become_settings_and_a_bundle_has_its_own_name(app: typer.Typer, bundle: Path, served: Served) -> None:
    flags = ["--host", "0.0.0.0", "--port", "0", "--max-batch-texts", "5", "--max-chars", "70"]
    result = CliRunner().invoke(app, ["serve", str(bundle), *flags], catch_exceptions=False)
    assert result.exit_code == 0
    assert served == [({"tiny": bundle}, ServeSettings(host="0.0.0.0", port=0, max_batch_texts=5, max_chars=70))]
    where = "at http://127.0.0.1:8000 · API: http://127.0.0.1:8000/docs · Ctrl+C stops"
    assert result.stdout == f"tiny (version 1f2e3d4c, engine fp32) {where}\n"
    warning = (
        "warning: no authentication: everybody who can reach 0.0.0.0:8000 can use the models\n"
        "no authentication: only this machine can reach the server\n"
    )
    assert result.stderr == warning


def test_several_bundles_by_name(app: typer.Typer, bundle: Path, served: Served) -> None:
    CliRunner().invoke(app, ["serve", f"b={bundle}", str(bundle)], catch_exceptions=False)
    assert list(served[0][0].items()) == [("b", bundle), ("tiny", bundle)]


def test_two_models_of_one_name_are_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match=r"^two models are called tiny: rename one of them, NAME="):
        serve.named_bundles([str(bundle), str(bundle)])


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        serve.named_bundles([str(tmp_path / "nowhere")])


@pytest.mark.parametrize("argument", ["=reviews", "reviews="])
def test_half_a_name_is_explained(argument: str) -> None:
    with pytest.raises(UsageError, match=f"^{argument} is not NAME=BUNDLE: write reviews=path/to/bundle"):
        serve.named(argument)


@pytest.mark.parametrize(
    ("argument", "name", "path"),
    [("reviews", None, "reviews"), ("films=a/b", "films", "a/b"), ("./a=b", None, "a=b"), ("a=b=c", "a", "b=c")],
)
def test_name_and_path(argument: str, name: str | None, path: str) -> None:
    given, bundle = serve.named(argument)
    assert (given, Path(bundle)) == (name, Path(path))


def test_without_the_web_server_the_extra_is_named(
    app: typer.Typer, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "bertline.service.run":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(app, ["serve", str(bundle)], catch_exceptions=False)
    reason = "serving needs uvicorn, which is not installed"
    assert str(caught.value) == f"{reason}: pip install 'bertline[serve]'"
