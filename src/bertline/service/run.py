"""Listen, say so once the models are warm, and leave with exit code 0 when told to stop."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from bertline.errors import BertlineError, UsageError
from bertline.service.app import create_app
from bertline.service.models import Models
from bertline.service.patient_http import PatientHttp
from bertline.service.serving import Serving
from bertline.service.settings import ServeSettings

BACKLOG = 2048  # connections that the system holds until they are accepted
LAST_WORDS_S = 0.1  # from a connection to its first request
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    bundles: Mapping[str, Path],
    settings: ServeSettings,
    *,
    on_ready: Callable[[str, Models], None],
    on_exposed: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; all requests that were accepted are answered first.

    Args:
        bundles: directory of each model, by the name that clients call it, the default one first.
        settings: where to listen, and the limits.
        on_ready: receives the URL of the page and the models, once each has answered a text.
        on_exposed: receives the address when other machines can reach it.

    Raises:
        UsageError: the address or the port cannot be used, or there is no model.
        BertlineError: a model cannot answer, or cannot be kept alive.
    """
    serving = Serving(bundles, settings)
    with listen(settings.host, settings.port) as listener, quiet_stop():
        if not ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
            on_exposed(_address(listener))
        allow_connections()
        server = Server(serving, lambda: on_ready(page_url(listener), serving.models))
        server.run(sockets=[listener])
    if server.failure is not None:
        raise server.failure


class Server(uvicorn.Server):
    """Uvicorn around the app: says when the models are warm, drains, and stops when a model is beyond help.

    When it is told to stop, readiness turns red and for ``drain_s`` requests are still accepted, each answered with
    ``Connection: close``; so whoever balances the load has time to look elsewhere, and no request meets a closed door.
    """

    def __init__(self, serving: Serving, on_ready: Callable[[], None]) -> None:
        settings = serving.settings
        config = uvicorn.Config(
            create_app(serving),
            log_level="warning",
            access_log=False,
            ws="none",
            http=PatientHttp.limited(settings.body_timeout_s),
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=settings.idle_timeout_s,
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
        )
        super().__init__(config)
        self.failure: Exception | None = None
        self._was_ready = False
        self._serving, self._on_ready = serving, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and watch the models from now on."""
        await super().startup(sockets)
        # Kept, or they could be collected.
        self._watching = [asyncio.create_task(self._announce()), asyncio.create_task(self._watch())]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then answer what is left."""
        self._serving.draining = True
        # Clients came only if it was ready once; if a model is beyond help by now, they are told so and not reset.
        if self._was_ready and not self.force_exit:
            await asyncio.sleep(self._serving.settings.drain_s)
            await self._close_door(sockets or [])
        for task in self._watching:
            task.cancel()
        await super().shutdown(sockets)

    async def _close_door(self, listeners: list[socket.socket]) -> None:
        """Let in who stands before the door, close it, and hear what they want; uvicorn would turn them away."""
        standing: list[socket.socket] = []
        for listener in listeners:
            with suppress(OSError):  # there is nobody
                while True:
                    standing.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for one in standing:
            one.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, one, ssl=self.config.ssl)
        await asyncio.sleep(min(LAST_WORDS_S, self._serving.settings.drain_s))

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def _announce(self) -> None:
        try:
            await self._serving.until_ready()
            self._was_ready = True
            self._on_ready()
        except Exception as error:
            self.failure, self.should_exit = error, True

    async def _watch(self) -> None:
        await self._serving.failed.wait()
        self.failure, self.should_exit = self._serving.failure, True


def allow_connections() -> None:
    """Let the process hold as many connections as the system allows: each is a file to it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


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
        listener.listen(BACKLOG)  # here, because a second listener fails only now where the first has REUSEADDR too
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
