"""What a database is for: how messages name it, and which error says that it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

from bertline.errors import BertlineError


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a database is for.

    Attributes:
        what: its name in messages, such as "the registry".
        error: raised when it cannot be used.
        file: example of a SQLite file, for messages.
        absent: what to do where there is no file, and it is not to be created.
        uncreatable: what to do where it cannot be created.
        lock: number of the lock that writers of a PostgreSQL database take; no other program uses it.
        extra: of bertline, which installs SQLAlchemy.
        wait_s: for a connection or a lock.
        wal: whether a SQLite file has a write-ahead log, so that readers and a writer do not wait for each other.
        mode: permissions of a SQLite file that is created, before the process's umask.
    """

    what: str
    error: type[BertlineError]
    file: str
    absent: str
    uncreatable: str
    lock: int
    extra: str
    wait_s: float = 20.0
    wal: bool = False
    mode: int = 0o666

    @property
    def forms(self) -> str:
        """The end of a message about a URL."""
        return f"write sqlite:///{self.file} or postgresql://user@host/name"
