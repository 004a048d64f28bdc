"""The settings of the registry: its database, and the store of the bundles that are added to it."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bertline.config import load_settings


class RegistrySettings(BaseModel):
    """The table ``[registry]`` of ``bertline.toml``; ``BERTLINE_REGISTRY`` and ``BERTLINE_STORE`` are short forms.

    The defaults are in the user's data directory and not in the current one: a server that was started elsewhere has to
    find the registry that ``models promote`` changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        None,
        description="database of the registry, sqlite:///FILE or postgresql://USER@HOST/NAME; default: models.db in "
        "the user's data directory",
    )
    store: str | None = Field(
        None,
        description="where bundles that are added are kept, a directory or s3://BUCKET/PREFIX; default: models in the "
        "user's data directory",
    )

    @property
    def place(self) -> str:
        """``url``, or the default."""
        return self.url or f"sqlite:///{data_directory() / 'models.db'}"

    @property
    def bundles(self) -> str:
        """``store``, or the default."""
        return self.store or str(data_directory() / "models")


def data_directory() -> Path:
    """By the XDG base directory specification: https://specifications.freedesktop.org/basedir-spec/latest/."""
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share") / "bertline"


def registry_settings(url: str | None = None, store: str | None = None) -> RegistrySettings:
    """The settings from ``bertline.toml``, the environment and these flags.

    Raises:
        SettingsError: one is unknown.
    """
    return load_settings(RegistrySettings, "registry", {"url": url, "store": store})
