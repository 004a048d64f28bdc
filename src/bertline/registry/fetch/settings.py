"""The settings of stores of bundles: the cache, the transfer, and whose signatures are required."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bertline.config import load_settings


class StoreSettings(BaseModel):
    """The table ``[store]`` of ``bertline.toml`` and the variables ``BERTLINE_STORE_…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache: Path | None = Field(
        None, description="directory of the cache; default: bertline in the user's cache directory"
    )
    cache_bytes: int = Field(10 * 2**30, ge=1, description="maximum size of the cache in bytes")
    parallel: int = Field(4, ge=1, le=64, description="files transferred at a time")
    stall_s: float = Field(20, gt=0, description="a transfer that stands still for so long is tried again")
    require_signed_by: tuple[Path, ...] = Field(
        (), description="public key file; may be repeated; only bundles signed by one of them are fetched"
    )
    plain_http: tuple[str, ...] = Field(
        (), description="registries (HOST or HOST:PORT) without TLS; those on this machine need not be named"
    )

    @property
    def cache_directory(self) -> Path:
        """``cache``, or the default by the XDG base directory specification."""
        if self.cache is not None:
            return self.cache.expanduser()
        base = os.environ.get("XDG_CACHE_HOME", "")
        return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "bertline"


def store_settings() -> StoreSettings:
    """The settings from ``bertline.toml`` and the environment.

    Raises:
        SettingsError: one is unknown or out of range.
    """
    return load_settings(StoreSettings, "store")
