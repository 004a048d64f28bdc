"""Replicas of a model on one machine: Compose file, nginx, Prometheus, a systemd unit."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from bertline.deploy import templates
from bertline.destination import replace_file, write_files
from bertline.errors import UsageError
from bertline.monitoring.dashboards import prometheus

WHAT = "the stack"  # in messages about where it goes
MOST_REPLICAS = 64
_NETWORK = re.compile(r"(\d{1,3}\.){2}\d{1,3}")
_FIRST = 10  # the last part of the first replica's address is one more
_PORT = 8000
_NGINX = "101:101"  # of nginx's image. As root without capabilities, nginx cannot become the user of its workers


@dataclass(frozen=True, slots=True)
class Gateway:
    """How nginx listens and whom it asks.

    Attributes:
        replicas: ``host:port`` of each.
        listen: address or port.
        certificates: directory of ``server.pem`` and ``server-key.pem``.
        run: directory that nginx writes to.
    """

    replicas: tuple[str, ...]
    listen: str = "8443"
    certificates: str = "/certs"
    run: str = "/tmp"

    def config(self) -> str:
        """The text of ``nginx.conf``."""
        servers = "\n".join(f"    server {one} max_fails=2 fail_timeout=2s;" for one in self.replicas)
        backups = "\n".join(f"    server {one} max_fails=0 backup;" for one in self.replicas)
        values = {"listen": self.listen, "certificates": self.certificates, "run": self.run}
        values |= {"servers": servers, "backups": backups}
        return templates.fill(templates.read("stack")["nginx.conf"], values)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of containers.

    Attributes:
        name: of the model, the Compose project and the systemd unit's bundle.
        image: of the replicas, as ``bertline deploy image`` names it.
        replicas: their number.
        network: the first three parts of the replicas' addresses.

    Raises:
        UsageError: there are too few or too many replicas, or the network is none.
    """

    name: str
    image: str
    replicas: int = 2
    network: str = "172.31.250"

    def __post_init__(self) -> None:
        if not 1 <= self.replicas <= MOST_REPLICAS:
            raise UsageError(f"--replicas {self.replicas} is not possible: give 1 to {MOST_REPLICAS}")
        if not _NETWORK.fullmatch(self.network) or any(int(part) > 255 for part in self.network.split(".")):
            raise UsageError(f"--network {self.network} is not a network: give three numbers, such as 172.31.250")

    @property
    def addresses(self) -> list[str]:
        """Of the replicas; nginx must know them, because those of a new container would be unknown to it."""
        return [f"{self.network}.{_FIRST + number}" for number in range(1, self.replicas + 1)]

    @property
    def services(self) -> list[str]:
        """The replicas' names in the Compose file."""
        return [f"replica-{number}" for number in range(1, self.replicas + 1)]

    def files(self) -> dict[str, str]:
        """Every file but ``.env``, by path."""
        targets = tuple(f"{one}:{_PORT}" for one in self.addresses)
        texts = templates.read("stack")
        values = {
            "name": self.name,
            "image": self.image,
            "network": self.network,
            "count": str(self.replicas),
            "each": " ".join(self.services),
            "waits": "\n".join(f"      {one}: {{ condition: service_healthy }}" for one in self.services),
            "replicas": "\n\n".join(
                f"  {name}:\n    <<: *replica\n    networks:\n      back: {{ ipv4_address: {address} }}"
                for name, address in zip(self.services, self.addresses, strict=True)
            ),
        }
        names = ("compose.yaml", "podman.sh", "README.md", "bertline.service")
        files = {name: templates.fill(texts[name], values) for name in names}
        scrape = prometheus.Scrape(targets=targets, key_file="/etc/bertline/prometheus")
        ignored = {".gitignore": ".env\ncerts/\nkeys/\n", "certs/.gitkeep": "", "keys/.gitkeep": ""}
        return {**files, "nginx.conf": Gateway(targets).config(), **prometheus.files(scrape), **ignored}

    def environment(self) -> str:
        """``.env``, with new passwords."""
        user = f"{os.getuid()}:{os.getgid()}" if os.getuid() else _NGINX
        passwords = {name: secrets.token_hex(24) for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD")}
        values = {"MODEL_IMAGE": self.image, "STACK_USER": user, **passwords}
        return "".join(f"{name}={value}\n" for name, value in values.items())


def image_name(bundle: str) -> str:
    """A bundle's name as one of an image or a Compose project.

    >>> image_name("Mails of May"), image_name("_")
    ('mails-of-may', 'model')
    """
    return re.sub(r"[^a-z0-9]+", "-", bundle.lower()).strip("-") or "model"


def write_stack(stack: Stack, directory: Path) -> list[Path]:
    """Write the files. An existing ``.env`` is kept, because its passwords are those of the database.

    Raises:
        DestinationError: the directory cannot be written to, or another process writes there.
    """
    written = write_files(stack.files(), directory, WHAT)
    secret = directory / ".env"
    if not secret.exists():
        replace_file(secret, stack.environment().encode(), mode=0o600)
        written.append(secret)
    return written
