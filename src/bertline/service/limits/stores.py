"""The stores of accounts, by the scheme of the URL that names one."""

from __future__ import annotations

from bertline.errors import SettingsError
from bertline.service.limits.grouped import Grouped
from bertline.service.limits.in_memory import InMemory
from bertline.service.limits.store import CounterStore

SCHEMES = ("redis", "rediss", "unix", "sqlite", "postgresql", "postgresql+psycopg")


def open_store(url: str | None) -> CounterStore:
    """The store at a URL; None is this process's memory.

    Raises:
        SettingsError: there is no such kind of store, or its library is missing. The message does not repeat the URL.
    """
    if url is None:
        return InMemory()
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        raise SettingsError("store_url of [limits] is no store: write redis://…, postgresql://… or sqlite:///FILE")
    try:
        if scheme in ("redis", "rediss", "unix"):
            from bertline.service.limits.in_redis import InRedis

            return Grouped(InRedis(url))
        from bertline.service.limits.in_database import InDatabase

        return Grouped(InDatabase(url))
    except ModuleNotFoundError as error:
        raise SettingsError(f"store_url of [limits] needs {error.name}: pip install {error.name}") from None
    except ValueError:
        raise SettingsError(f"store_url of [limits] is no URL of {scheme}: write its user, host and name") from None
