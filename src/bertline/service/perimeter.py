"""The perimeter: authentication, limits, host names, logs, traces and predictions, between network and models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bertline.errors import SettingsError
from bertline.lifecycle.predictions.settings import PredictionSettings
from bertline.monitoring.logs.settings import LogSettings
from bertline.monitoring.traces.exporter import TraceSettings
from bertline.service.edge.proxies import EdgeSettings
from bertline.service.edge.tls import TlsSettings
from bertline.service.guard.settings import AuthSettings
from bertline.service.limits.settings import LimitSettings

if TYPE_CHECKING:
    from bertline.lifecycle.predictions.writer import PredictionWriter
    from bertline.monitoring.logs.logger import Logs
    from bertline.monitoring.traces.exporter import Traces
    from bertline.service.guard.door import Verifier
    from bertline.service.guard.issuer import Issuer
    from bertline.service.guard.keys import Keys
    from bertline.service.guard.provider import Provider
    from bertline.service.guard.store import CredentialStore
    from bertline.service.guard.trust import Trust
    from bertline.service.limits.ledger import Ledgers


@dataclass(frozen=True, slots=True)
class PerimeterSettings:
    """The settings of its parts."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    traces: TraceSettings = field(default_factory=TraceSettings)
    predictions: PredictionSettings = field(default_factory=PredictionSettings)


@dataclass(slots=True)
class Perimeter:
    """The active parts; by default none.

    Attributes:
        settings: of all parts.
        hosts: accepted host names; empty accepts any.
        tokens: verifies bearer tokens.
        keys: verifies API keys.
        issuer: the built-in issuer of tokens.
        providers: identity providers, whose keys are fetched while the service runs.
        limits: of all clients.
        logs: receive log lines.
        traces: receive spans.
        predictions: writes predictions to their store.
    """

    settings: PerimeterSettings = field(default_factory=PerimeterSettings)
    hosts: tuple[str, ...] = ()
    tokens: Verifier | None = None
    keys: Verifier | None = None
    issuer: Issuer | None = None
    providers: Sequence[Provider] = ()
    limits: Ledgers | None = None
    logs: Logs | None = None
    traces: Traces | None = None
    predictions: PredictionWriter | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the providers and limits while inside."""
        async with AsyncExitStack() as stack:
            for provider in self.providers:
                await stack.enter_async_context(provider)
            if self.limits is not None:
                await stack.enter_async_context(self.limits)
            yield


def build(settings: PerimeterSettings, url: str, *, store: CredentialStore | None = None) -> Perimeter:
    """Create the parts that the settings enable, except logs, traces and predictions, which start and stop apart.

    Args:
        settings: of all parts.
        url: of this server, unless ``auth.issuer`` overrides it.
        store: of clients and keys, if ``auth.database`` is set.

    Raises:
        SettingsError: the settings contradict each other.
    """
    from bertline.service.limits.ledger import Ledgers

    perimeter = Perimeter(settings)
    _add_auth(perimeter, settings.auth, url, store)
    if settings.limits.limits_any_client:
        perimeter.limits = Ledgers(settings.limits)
    return perimeter


def _add_auth(perimeter: Perimeter, auth: AuthSettings, url: str, store: CredentialStore | None) -> None:
    from bertline.service.guard.provider import Provider

    if auth.issuer is not None and auth.database is None:
        raise SettingsError("auth.issuer is for the built-in issuer, which needs a database: set auth.database too")
    perimeter.providers = [Provider(issuer) for issuer in auth.issuers]
    trusted = [trust(auth, provider) for provider in perimeter.providers]
    if store is not None:
        from bertline.service.guard.api_keys import ApiKeys
        from bertline.service.guard.clients import Clients
        from bertline.service.guard.issuer import Issuer
        from bertline.service.guard.signing import ALGORITHM, SigningKeys
        from bertline.service.guard.trust import Trust

        signing = SigningKeys(store, auth.issuer or url)
        perimeter.keys, perimeter.issuer = ApiKeys(store), Issuer(signing, Clients(store), auth.audience[0])
        trusted.append(Trust(signing, auth.audience, algorithms=frozenset({ALGORITHM})))
    if trusted:
        from bertline.service.guard.bearer import BearerTokens

        perimeter.tokens = BearerTokens(trusted)


def trust(auth: AuthSettings, keys: Keys) -> Trust:
    """The trust in the issuer of these keys, by the settings."""
    from bertline.service.guard.trust import Trust

    terms = auth.of(keys.issuer)
    return Trust(
        keys,
        terms.audience,
        types=frozenset(terms.token_types),
        skew_s=terms.clock_skew_s,
        scope_prefix=terms.scope_prefix,
        scope_claims=terms.scope_claims,
        client_claims=terms.client_claims,
        audience_claim=terms.audience_claim,
    )
