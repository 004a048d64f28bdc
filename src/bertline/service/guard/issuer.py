"""The built-in issuer of tokens, for services without an identity provider (RFC 6749 section 4.4, RFC 9068)."""

from __future__ import annotations

from dataclasses import dataclass

from bertline.service.guard.client import Scope
from bertline.service.guard.clients import Clients
from bertline.service.guard.signing import SigningKeys
from bertline.service.guard.token_request import TokenRequest
from bertline.serving.problems import Code, Problem

GRANT = "client_credentials"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues tokens to clients; ``audience`` is their claim ``aud``, the name of the verifying services."""

    keys: SigningKeys
    clients: Clients
    audience: str

    async def token(self, request: TokenRequest, address: str) -> tuple[str, frozenset[Scope]]:
        """A token and its scopes; ``address`` is the sender's.

        Raises:
            Problem: the client is unknown, or requests more than it may have.
        """
        client = await self.clients.authenticate(request.client_id, request.client_secret, address)
        if request.grant_type != GRANT:
            raise Problem(Code.UNSUPPORTED, f"Only grant_type={GRANT} is supported: send that.", "grant_type")
        if request.scopes is not None and not (request.scopes and set(request.scopes) <= client.scopes):
            allowed = " ".join(sorted(client.scopes))
            raise Problem(Code.INSUFFICIENT_SCOPE, f"This client may request these scopes: {allowed}.", "scope")
        scopes = client.scopes if request.scopes is None else frozenset(map(Scope, request.scopes))
        claims = {"aud": self.audience, "sub": client.id, "client_id": client.id, "scope": " ".join(sorted(scopes))}
        return await self.keys.sign(claims), scopes
