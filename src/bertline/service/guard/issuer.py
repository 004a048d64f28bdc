"""The built-in issuer of tokens, for those without an identity provider (RFC 6749 section 4.4, RFC 9068)."""

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
    """Gives tokens to clients.

    Attributes:
        keys: sign, and know the issuer's URL.
        clients: who may have tokens.
        audience: the claim ``aud``, what the verifying services call themselves.
    """

    keys: SigningKeys
    clients: Clients
    audience: str

    async def token(self, asked: TokenRequest, address: str) -> tuple[str, frozenset[Scope]]:
        """A token, and what its owner may do with it.

        Args:
            asked: by the client.
            address: where it came from.

        Raises:
            Problem: the client is not known, or asks for what it cannot have.
        """
        client = await self.clients.authenticate(asked.client_id, asked.client_secret, address)
        if asked.grant_type != GRANT:
            raise Problem(Code.UNSUPPORTED, f"Tokens are given for grant_type={GRANT} only.", "grant_type")
        wanted = client.scopes if asked.scopes is None else {one for one in Scope if one.value in asked.scopes}
        if asked.scopes is not None and not (asked.scopes and set(asked.scopes) <= client.scopes):
            has = " ".join(sorted(client.scopes))
            raise Problem(Code.INSUFFICIENT_SCOPE, f"This client may have these scopes: {has}.", "scope")
        scopes = frozenset(wanted)
        claims = {
            "aud": self.audience,
            "sub": client.id,
            "client_id": client.id,
            "scope": " ".join(sorted(scopes)),
        }
        return await self.keys.sign(claims), scopes
