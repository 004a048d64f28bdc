from __future__ import annotations

from pathlib import Path

import pytest

from bertline.registry.settings import registry_settings


def test_without_settings_it_is_in_the_users_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the current one: a server that was started elsewhere would not find it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    settings = registry_settings()
    assert (settings.place, settings.bundles) == ("sqlite:////data/bertline/models.db", "/data/bertline/models")


def test_short_variables_are_the_long_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BERTLINE_REGISTRY", "sqlite:///a.db")
    monkeypatch.setenv("BERTLINE_STORE", "s3://bucket/prefix")
    assert registry_settings().place == "sqlite:///a.db"
    assert registry_settings(url="sqlite:///b.db").place == "sqlite:///b.db"
    assert registry_settings().bundles == "s3://bucket/prefix"
    (tmp_path / "bertline.toml").write_text('[registry]\nurl = "sqlite:///c.db"\n')
    assert registry_settings().place == "sqlite:///a.db"
    monkeypatch.delenv("BERTLINE_REGISTRY")
    assert registry_settings().place == "sqlite:///c.db"
