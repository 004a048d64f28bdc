"""The registry's database: a SQLite file, or PostgreSQL by its URL."""

from __future__ import annotations

from bertline.errors import RegistryError, needing

with needing("the registry of models needs {}", "sqlalchemy", extra="registry"):
    from bertline.database import database as databases
    from bertline.database.purpose import Purpose

REGISTRY = Purpose(
    what="the registry",
    error=RegistryError,
    file="/var/lib/bertline/models.db",
    absent="bertline models add makes one, or give --registry",
    uncreatable="give --registry",
    lock=0x6265_7274_6D6F_6473,  # "bertmods"
    extra="registry",
)


class Database(databases.Database):
    """The registry's database. A context: leaving it closes the connections.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.
        create: whether a missing SQLite file is created.

    Raises:
        UsageError: the URL is invalid or of another database.
        RegistryError: there is no such file, or it cannot be created.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        super().__init__(url, REGISTRY, create=create)
