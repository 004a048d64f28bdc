"""What stands between the network and the models: who may ask, how much, by which names, and what is noted of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bertline.errors import SettingsError
from bertline.monitoring.logs.settings import LogSettings
from bertline.monitoring.traces.exporter import TraceSettings
from bertline.service.edge.proxies import EdgeSettings
from bertline.service.edge.tls import TlsSettings
from bertline.service.guard.settings import AuthSettings
from bertline.service.limits.settings import LimitSettings

if TYPE_CHECKING:
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
    """The settings of its parts, by the names of their components."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    traces: TraceSettings = field(default_factory=TraceSettings)


@dataclass(slots=True)
class Perimeter:
    """The parts that are there; nothing by default, as behind doubles in tests.

    Attributes:
        settings: of all parts.
        hosts: names by which clients may ask; empty is any.
        tokens: checks bearer tokens.
        keys: checks API keys.
        issuer: gives tokens to this service's own clients.
        providers: whose keys are fetched while the service runs.
        limits: of all clients.
        logs: where lines of the log go.
        traces: where spans go.
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

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What fetches keys and counts does so inside."""
        async with AsyncExitStack() as stack:
            for provider in self.providers:
                await stack.enter_async_context(provider)
            if self.limits is not None:
                await stack.enter_async_context(self.limits)
            yield


def build(settings: PerimeterSettings, url: str, *, store: CredentialStore | None = None) -> Perimeter:
    """The parts that the settings ask for. Logs and traces are not among them: they begin before and end after.

    Args:
        settings: of all parts.
        url: at which this server is reached, where ``auth.issuer`` does not say otherwise.
        store: of clients and keys, if ``auth.database`` is set.

    Raises:
        SettingsError: they do not fit together.
    """
    from bertline.service.limits.ledger import Ledgers

    found = Perimeter(settings)
    _add_auth(found, settings.auth, url, store)
    if settings.limits.limits_any_client:
        found.limits = Ledgers(settings.limits)
    return found


def _add_auth(found: Perimeter, auth: AuthSettings, url: str, store: CredentialStore | None) -> None:
    from bertline.service.guard.provider import Provider

    if auth.issuer is not None and auth.database is None:
        raise SettingsError("auth.issuer names this server's own tokens, which need a database: set auth.database too")
    found.providers = [Provider(issuer) for issuer in auth.issuers]
    trusted = [trust(auth, provider) for provider in found.providers]
    if store is not None:
        from bertline.service.guard.api_keys import ApiKeys
        from bertline.service.guard.clients import Clients
        from bertline.service.guard.issuer import Issuer
        from bertline.service.guard.signing import ALGORITHM, SigningKeys
        from bertline.service.guard.trust import Trust

        signing = SigningKeys(store, auth.issuer or url)
        found.keys, found.issuer = ApiKeys(store), Issuer(signing, Clients(store), auth.audience[0])
        trusted.append(Trust(signing, auth.audience, algorithms=frozenset({ALGORITHM})))
    if trusted:
        from bertline.service.guard.bearer import BearerTokens

        found.tokens = BearerTokens(trusted)


def trust(auth: AuthSettings, keys: Keys) -> Trust:
    """The issuer of these keys, on the terms that the settings give it."""
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
