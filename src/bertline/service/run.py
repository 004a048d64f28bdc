"""Listen, say so once the models are warm, and leave with exit code 0 when told to stop."""

from __future__ import annotations

import asyncio
import errno
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import uvicorn

from bertline.errors import BertlineError, UsageError
from bertline.monitoring.logs.logger import configure
from bertline.monitoring.logs.tally import Tally
from bertline.monitoring.metrics.registry import Metrics
from bertline.monitoring.traces.exporter import open_traces
from bertline.service.app import REFUSE, create_app
from bertline.service.edge.http1.connection import Http1Connection, Http1Settings
from bertline.service.edge.http1.grammar import HeadLimits
from bertline.service.edge.proxies import EdgeSettings, hosts_of
from bertline.service.edge.shedding import Shedding
from bertline.service.edge.tls import RenewableTls
from bertline.service.exchange import log_context
from bertline.service.listeners.metrics import MetricsListener
from bertline.service.loopback import is_loopback
from bertline.service.perimeter import Perimeter, PerimeterSettings, build
from bertline.service.settings import ServeSettings, settings_of
from bertline.serving.models import Models
from bertline.serving.problems import Problem
from bertline.serving.serving import Serving

log = logging.getLogger(__name__)

BACKLOG = 2048  # connections that the system holds until they are accepted
LAST_WORDS_S = 0.1  # from a connection to its first request
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    bundles: Mapping[str, Path],
    settings: ServeSettings,
    perimeter: PerimeterSettings | None = None,
    *,
    on_ready: Callable[[str, Models], None],
    on_exposed: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; all requests that were accepted are answered first.

    Args:
        bundles: directory of each model, by the name that clients call it, the default one first.
        settings: where to listen, and what one request may bring.
        perimeter: who may ask, how, and what is noted of it.
        on_ready: receives the URL of the page and the models, once each has answered a text.
        on_exposed: receives the address when other machines can reach it and nobody is asked who they are.

    Raises:
        UsageError: the address or the port cannot be used, there is no model, or other machines could reach a server
            that asks for no credentials.
        BertlineError: a model cannot answer, or cannot be kept alive; a database or certificate cannot be used.
    """
    perimeter = perimeter or PerimeterSettings()
    with ExitStack() as stack:
        tls = RenewableTls(perimeter.tls) if perimeter.tls.configured else None
        listener = stack.enter_context(listen(settings.host, settings.port))
        _check_exposure(listener, settings, perimeter, on_exposed)
        built = _open(stack, perimeter, page_url(listener, tls is not None), listener.getsockname()[0])
        stack.enter_context(quiet_stop())
        allow_connections()
        tokenise_in_one_thread()
        serving = Serving(bundles, settings)
        url = page_url(listener, tls is not None)

        def ready() -> None:
            keep_what_is_there()
            on_ready(url, serving.models)

        server = Server(serving, ready, built, tls)
        server.run(sockets=[listener])
    if server.failure is not None:
        raise server.failure


def _check_exposure(
    listener: socket.socket, settings: ServeSettings, perimeter: PerimeterSettings, on_exposed: Callable[[str], None]
) -> None:
    """Refuse to stand open to a network, unless somebody spelled it out."""
    if is_loopback(listener.getsockname()[0]) or perimeter.auth.configured:
        return
    if not settings.insecure:
        raise UsageError(
            f"{_address(listener)} can be reached by others and no credentials are asked for: set --auth-issuers or "
            "--auth-database (see bertline auth), listen on 127.0.0.1, or say --insecure"
        )
    on_exposed(_address(listener))


def _open(stack: ExitStack, settings: PerimeterSettings, url: str, host: str) -> Perimeter:
    """The perimeter, with what has to be closed in the end."""
    logs = stack.enter_context(configure(settings.logs, context=log_context))
    traces = open_traces(settings.traces)
    if traces is not None:
        stack.callback(traces.close)
    store = None
    if settings.auth.database is not None:
        from bertline.service.guard.store import CredentialStore

        store = stack.enter_context(CredentialStore(settings.auth.database))
    built = build(settings, url, store=store)
    built.logs, built.traces, built.hosts = logs, traces, hosts_of(settings.edge, host)
    return built


class Server(uvicorn.Server):
    """Uvicorn around the app: says when the models are warm, drains, and stops when a model is beyond help.

    When it is told to stop, readiness turns red and for ``drain_s`` requests are still accepted, each answered with
    ``Connection: close``; so whoever balances the load has time to look elsewhere, and no request meets a closed door.
    """

    def __init__(
        self,
        serving: Serving,
        on_ready: Callable[[], None],
        perimeter: Perimeter | None = None,
        tls: RenewableTls | None = None,
    ) -> None:
        settings, app = settings_of(serving), create_app(serving, perimeter)
        metrics: MetricsListener = app.state.metrics
        config = uvicorn.Config(
            app,
            log_config=None if perimeter and perimeter.logs else uvicorn.config.LOGGING_CONFIG,
            log_level="warning",
            access_log=False,
            ws="none",
            http=Http1Connection.with_settings(_http1(serving, metrics, perimeter)),
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=settings.idle_timeout_s,
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
        )
        super().__init__(config)
        self.failure: Exception | None = None
        self._was_ready = False
        self._drain_s = settings.drain_s
        self._serving, self._on_ready, self._tls = serving, on_ready, tls
        _measure(metrics.metrics, perimeter, tls)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and watch the models and the certificate from now on."""
        if self._tls is not None:
            self.config.ssl = self._tls.context  # after uvicorn has made what it makes of its own settings
        await super().startup(sockets)
        watched = [self._announce(), self._watch(), *([self._tls.watch()] if self._tls else [])]
        self._watching = [asyncio.create_task(one) for one in watched]  # kept, or they could be collected

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl+C does not drain: whoever presses it is at this terminal, and nobody balances a load."""
        if sig == signal.SIGINT:
            self._drain_s = 0.0
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then answer what is left."""
        self._serving.draining = True
        # Clients came only if it was ready once; if a model is beyond help by now, they are told so and not reset.
        if self._was_ready and not self.force_exit:
            await asyncio.sleep(self._drain_s)
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
            handshake_s = LAST_WORDS_S if self.config.ssl else None  # who says nothing holds nobody up
            with suppress(OSError):
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._protocol, one, ssl=self.config.ssl, ssl_handshake_timeout=handshake_s
                )
        await asyncio.sleep(min(LAST_WORDS_S, self._drain_s))

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


def _http1(serving: Serving, metrics: MetricsListener, perimeter: Perimeter | None) -> Http1Settings:
    """How connections behave, as the settings say."""
    settings = settings_of(serving)
    limits = HeadLimits(
        settings.max_head_bytes, settings.max_header_bytes, settings.max_headers, settings.max_target_bytes
    )
    tally = Tally(log, "%d connections were closed because a request was not valid HTTP/1.1 or its head was too large")

    def on_malformed(problem: Problem) -> None:
        serving.listeners.refused(problem)
        tally.add()

    edge = perimeter.settings.edge if perimeter else EdgeSettings()
    shedding = Shedding(serving, REFUSE, edge.root_path if edge.strip_root_path else "", metrics.shed)
    return Http1Settings(limits, settings.body_timeout_s, shedding.answer, on_malformed)


def _measure(metrics: Metrics, perimeter: Perimeter | None, tls: RenewableTls | None) -> None:
    """What is looked up whenever the metrics are read."""
    logs = perimeter.logs if perimeter else None
    told = 0

    def look() -> None:
        nonlocal told
        if tls is not None:
            metrics.set("bertline_certificate_expiry_timestamp_seconds", tls.expires_at, certificate="server")
        if logs is not None:
            now, before = logs.dropped, told
            told = now
            metrics.count("bertline_log_lines_dropped", now - before)

    metrics.before_reading(look)


def keep_what_is_there() -> None:
    """Let Python's search for cyclic garbage leave out what was made until now: it lasts as long as the process.

    A full search among it stops every request for 57 ms, about once in a thousand of them (docs/log.md).
    """
    gc.collect()
    gc.freeze()


def tokenise_in_one_thread() -> None:
    """Keep the tokenizer's library from threads of its own, which it wakes for a single sentence too.

    The cores are busy computing: a request would wait for two more threads to get one.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


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


def page_url(listener: socket.socket, https: bool = False) -> str:
    """The URL of the page, for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    scheme = "https" if https else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


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
