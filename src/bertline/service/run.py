"""Listen, say so once the models are warm, and leave with exit code 0 when told to stop."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from bertline.errors import BertlineError, UsageError
from bertline.inference.predictor import Predictor
from bertline.service.app import create_app
from bertline.service.serving import Serving
from bertline.service.settings import ServeSettings

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    models: Mapping[str, Predictor],
    settings: ServeSettings,
    *,
    on_ready: Callable[[str], None],
    on_exposed: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; requests in progress are answered first.

    Args:
        models: by the name that clients call them, the default one first.
        settings: where to listen, and the limits.
        on_ready: receives the URL of the page, once every model has answered a text.
        on_exposed: receives the address when other machines can reach it.

    Raises:
        UsageError: the address or the port cannot be used, or there is no model.
        BertlineError: a model cannot answer.
    """
    app = create_app(models, settings)
    with listen(settings.host, settings.port) as listener, quiet_stop():
        if not ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
            on_exposed(_address(listener))
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
        )
        server = _Server(config, app.state.serving, lambda: on_ready(page_url(listener)))
        server.run(sockets=[listener])
    if server.failure is not None:
        raise server.failure


class _Server(uvicorn.Server):
    """Uvicorn, which reports when the models are warm and stops when one of them fails to answer."""

    def __init__(self, config: uvicorn.Config, serving: Serving, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.failure: Exception | None = None
        self._serving, self._on_ready = serving, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announcement = asyncio.create_task(self._announce())  # kept, or it could be collected

    async def _announce(self) -> None:
        try:
            await self._serving.until_ready()
            self._on_ready()
        except Exception as error:
            self.failure, self.should_exit = error, True


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not yet listening.

    Raises:
        UsageError: no such address, or the port is taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise UsageError(f"{host} is not an address of this machine: try --host 127.0.0.1") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen()  # here, because a second listener fails only now where the first has REUSEADDR too
    except OSError as error:
        listener.close()
        raise _unusable(error, host, port) from None
    return listener


def _unusable(error: OSError, host: str, port: int) -> BertlineError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} of {host} is in use: choose another with --port, or let --port 0 find a free one"
        )
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} is not open to this user: choose one from 1024 up with --port")
    return UsageError(f"{host} is not an address of this machine: try --host 127.0.0.1")


def page_url(listener: socket.socket) -> str:
    """The URL of the page, for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def quiet_stop() -> Iterator[None]:
    """Let a stop signal end the server and nothing else.

    Uvicorn raises the signals it caught again when it has shut down; with the usual handlers the process
    would then die of the signal instead of ending with exit code 0.
    """
    previous = {one: signal.signal(one, lambda *_: None) for one in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
