"""Debian's nginx and HAProxy before a server, as people set them up: WebSockets pass, /admin/ does not."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bertline.service.run import listen
from tests.programs import program

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream models {{ server 127.0.0.1:{behind}; keepalive 4; keepalive_timeout {idle_s}s; }}
  server {{
    listen 127.0.0.1:{port};
    underscores_in_headers on;
{locations}
  }}
}}
"""
WEB_SOCKETS = """
    location /admin/ { return 403; }
    location / {
      proxy_pass http://models;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
"""
HAPROXY = """
global
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  http-request deny deny_status 403 if {{ path_beg /admin/ }}
  default_backend models
backend models
  server one 127.0.0.1:{behind}
"""

Proxy = Callable[[Path, int], AbstractContextManager[int]]


@contextmanager
def nginx(folder: Path, behind: int, idle_s: int = 60, locations: str = WEB_SOCKETS) -> Iterator[int]:
    """The port of an nginx before a port of this machine, which its locations call ``http://models``.

    It closes idle connections after its default, 60 s.
    """
    file = folder / "proxy.conf"
    command = ["nginx", "-c", str(file), "-p", str(folder), "-e", "stderr"]
    with _started(file, NGINX, command, behind=behind, idle_s=idle_s, locations=locations) as port:
        yield port


@contextmanager
def haproxy(folder: Path, behind: int) -> Iterator[int]:
    """The port of a HAProxy before a port of this machine."""
    file = folder / "proxy.conf"
    with _started(file, HAPROXY, ["haproxy", "-db", "-f", str(file)], behind=behind) as port:
        yield port


@contextmanager
def _started(file: Path, config: str, command: list[str], **values: object) -> Iterator[int]:
    with listen("127.0.0.1", 0) as one:
        port = one.getsockname()[1]
    file.write_text(config.format(folder=file.parent, port=port, **values))
    name, *arguments = command
    with file.with_suffix(".log").open("w") as log:
        process = subprocess.Popen([program(name), *arguments], stdout=log, stderr=log)
        try:
            until_open(port)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def until_open(port: int) -> None:
    """Return once somebody accepts connections there."""
    deadline_s = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        else:
            return
