"""Runs the server: listen, announce when the models are warmed up, and stop with exit code 0 on a signal."""

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
from bertline.service.following import Following
from bertline.service.listeners.metrics import MetricsListener
from bertline.service.listeners.rollouts import measure_following
from bertline.service.loopback import is_loopback
from bertline.service.perimeter import Perimeter, PerimeterSettings, build
from bertline.service.rollouts import judge_of_predictions
from bertline.service.settings import ServeSettings, settings_of
from bertline.serving.models import Models
from bertline.serving.problems import Problem
from bertline.serving.serving import Serving

log = logging.getLogger(__name__)

BACKLOG = 2048  # connections that wait to be accepted
LAST_REQUESTS_S = 0.5  # when stopping, time for the first request of new connections
LOOK_EVERY_S = 0.05  # whether they have sent it
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    bundles: Mapping[str, Path],
    settings: ServeSettings,
    perimeter: PerimeterSettings | None = None,
    *,
    on_ready: Callable[[str, Models], None],
    on_exposed: Callable[[str], None],
    following: Following | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, and answer all accepted requests before returning.

    Args:
        bundles: directory of each model by its name for clients, the default one first.
        settings: address, limits and timeouts.
        perimeter: settings of authentication, limits, TLS, proxies, logs, traces and predictions.
        on_ready: receives the URL of the page and the models when all are warmed up.
        on_exposed: receives the address if other machines can reach it without authentication.
        following: the models that follow an alias of the registry.

    Raises:
        UsageError: the address or port cannot be used, there is no model, or the server would be exposed without
            authentication.
        BertlineError: a model cannot answer or be kept alive, or a database or certificate cannot be used.
    """
    perimeter = perimeter or PerimeterSettings()
    with ExitStack() as stack:
        tls = RenewableTls(perimeter.tls) if perimeter.tls.configured else None
        listener = stack.enter_context(listen(settings.host, settings.port))
        _check_exposure(listener, settings, perimeter, on_exposed)
        built = _open(stack, perimeter, page_url(listener, tls is not None), listener.getsockname()[0])
        allow_connections()
        tokenise_in_one_thread()
        serving = Serving(bundles, settings)
        url = page_url(listener, tls is not None)

        def ready() -> None:
            freeze_garbage_collection()
            on_ready(url, serving.models)

        server = Server(serving, ready, built, tls, following)
        stack.enter_context(quiet_stop())  # no earlier: until uvicorn listens to signals, they must not be lost
        server.run(sockets=[listener])
    if server.failure is not None:
        raise server.failure


def _check_exposure(
    listener: socket.socket, settings: ServeSettings, perimeter: PerimeterSettings, on_exposed: Callable[[str], None]
) -> None:
    """Refuse to be reachable by other machines without authentication, unless ``--insecure`` allows it."""
    if is_loopback(listener.getsockname()[0]) or perimeter.auth.configured:
        return
    if not settings.insecure:
        raise UsageError(
            f"other machines can reach {_address(listener)} without authentication: set --auth-issuers or "
            "--auth-database (see bertline auth), listen on 127.0.0.1, or pass --insecure"
        )
    on_exposed(_address(listener))


def _open(stack: ExitStack, settings: PerimeterSettings, url: str, host: str) -> Perimeter:
    """Open the perimeter; the stack closes its parts."""
    logs = stack.enter_context(configure(settings.logs, context=log_context))
    traces = open_traces(settings.traces)
    if traces is not None:
        stack.callback(traces.close)
    store = None
    if settings.auth.database is not None:
        from bertline.service.guard.store import CredentialStore

        store = stack.enter_context(CredentialStore(settings.auth.database))
    built = build(settings, url, store=store)
    if settings.predictions.url is not None:
        from bertline.lifecycle.predictions.writer import PredictionWriter

        built.predictions = stack.enter_context(PredictionWriter(settings.predictions))
    built.logs, built.traces, built.hosts = logs, traces, hosts_of(settings.edge, host)
    return built


class Server(uvicorn.Server):
    """Uvicorn around the app: announces readiness, drains, and stops if a model cannot be kept alive.

    When it stops, readiness fails first, and for ``drain_s`` requests are still accepted and answered with
    ``Connection: close``. So load balancers have time to switch, and no connection is refused.
    """

    def __init__(
        self,
        serving: Serving,
        on_ready: Callable[[], None],
        perimeter: Perimeter | None = None,
        tls: RenewableTls | None = None,
        following: Following | None = None,
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
        self._follower = following.follower(serving, settings) if following else None
        judge = judge_of_predictions(perimeter)
        self._conductor = following.conductor(serving.models, settings, metrics.rolled, judge) if following else None
        followers = {"alias": self._follower, "rollout": self._conductor}
        measure_following(metrics.metrics, {what: one.followed_s for what, one in followers.items() if one is not None})
        if following:
            app.state.rollouts.leave(following.models, following.shown())
            app.state.verdicts = following.verdicts(settings.require_signed_by)
        _measure(metrics.metrics, perimeter, tls)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and start to watch the models and the certificate."""
        if self._tls is not None:
            self.config.ssl = self._tls.context  # replaces uvicorn's own
        await super().startup(sockets)
        watched = [self._announce(), self._watch(), *([self._tls.watch()] if self._tls else [])]
        self._watching = [asyncio.create_task(one) for one in watched]  # keeps them from garbage collection

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ctrl+C does not drain: it is pressed at a terminal, where there is no load balancer."""
        if sig == signal.SIGINT:
            self._drain_s = 0.0
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then answer the remaining requests."""
        self._serving.draining = True
        # Drain also after a failure: clients get an error then, not a reset connection.
        if self._was_ready and not self.force_exit:
            await asyncio.sleep(self._drain_s)
            await self._stop_listening(sockets or [])
        for task in self._watching:
            task.cancel()
        await super().shutdown(sockets)

    async def _stop_listening(self, listeners: list[socket.socket]) -> None:
        """Accept the pending connections, close the listeners, and wait for requests; uvicorn would reset them."""
        pending: list[socket.socket] = []
        for listener in listeners:
            with suppress(OSError):  # no more connections
                while True:
                    pending.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for one in pending:
            one.setblocking(False)
            handshake_s = LAST_REQUESTS_S if self.config.ssl else None  # a silent client must not delay the stop
            with suppress(OSError):
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._protocol, one, ssl=self.config.ssl, ssl_handshake_timeout=handshake_s
                )
        loop = asyncio.get_running_loop()
        until_s = loop.time() + min(LAST_REQUESTS_S, self._drain_s)
        await asyncio.sleep(min(2 * LOOK_EVERY_S, self._drain_s))
        while loop.time() < until_s and any(one.fresh for one in self._connections()):
            await asyncio.sleep(LOOK_EVERY_S)

    def _connections(self) -> list[Http1Connection]:
        return [one for one in self.server_state.connections if isinstance(one, Http1Connection)]

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
            return
        await asyncio.gather(*(one.run() for one in (self._follower, self._conductor) if one is not None))

    async def _watch(self) -> None:
        await self._serving.failed.wait()
        self.failure, self.should_exit = self._serving.failure, True


def _http1(serving: Serving, metrics: MetricsListener, perimeter: Perimeter | None) -> Http1Settings:
    """The settings of connections."""
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
    """Register metrics that are updated when they are read."""
    logs = perimeter.logs if perimeter else None
    counted = 0

    def look() -> None:
        nonlocal counted
        if tls is not None:
            metrics.set("bertline_certificate_expiry_timestamp_seconds", tls.expires_at, certificate="server")
        if logs is not None:
            now, before = logs.dropped, counted
            counted = now
            metrics.count("bertline_log_lines_dropped", now - before)

    metrics.before_reading(look)


def freeze_garbage_collection() -> None:
    """Exclude all existing objects from cyclic garbage collection: they live as long as the process.

    A full collection with them stops all requests for 57 ms, about once in a thousand requests (docs/log.md).
    """
    gc.collect()
    gc.freeze()


def tokenise_in_one_thread() -> None:
    """Disable the tokenizer library's own threads, which it would wake even for a single sentence.

    The cores are busy computing, so a request would wait until those threads get one.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def allow_connections() -> None:
    """Raise the limit of open files, which include connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not yet listening.

    Raises:
        UsageError: there is no such address, or the port is in use or not permitted.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise UsageError(f"{host} is not an address of this machine: try --host 127.0.0.1") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)  # here, because with REUSEADDR a second listener on the port fails only now
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
    """Ignore stop signals outside of uvicorn.

    Uvicorn raises caught signals again after its shutdown; by default they would kill the process, which is to exit
    with code 0.
    """
    previous = {one: signal.signal(one, lambda *_: None) for one in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
