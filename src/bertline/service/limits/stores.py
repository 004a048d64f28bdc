"""Opens the store of a URL."""

from __future__ import annotations

from bertline.errors import SettingsError
from bertline.service.limits.grouped import GroupedStore
from bertline.service.limits.in_memory import MemoryStore
from bertline.service.limits.store import CounterStore

SCHEMES = ("redis", "rediss", "unix", "sqlite", "postgresql", "postgresql+psycopg")


def open_store(url: str | None) -> CounterStore:
    """The store of a URL; None is this process's memory.

    Raises:
        SettingsError: the URL is invalid, or a library is missing. The message does not repeat the URL.
    """
    if url is None:
        return MemoryStore()
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        raise SettingsError("store_url of [limits] is invalid: write redis://…, postgresql://… or sqlite:///FILE")
    try:
        if scheme in ("redis", "rediss", "unix"):
            from bertline.service.limits.in_redis import RedisStore

            return GroupedStore(RedisStore(url))
        from bertline.service.limits.in_database import DatabaseStore

        return GroupedStore(DatabaseStore(url))
    except ModuleNotFoundError as error:
        raise SettingsError(f"store_url of [limits] needs {error.name}: pip install {error.name}") from None
    except ValueError:
        raise SettingsError(f"store_url of [limits] is not a {scheme} URL: write its user, host and name") from None
