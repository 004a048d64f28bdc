"""The settings of the guard: accepted credentials and their terms."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class TokenTerms(BaseModel):
    """The terms for an identity provider's access tokens. The defaults are RFC 9068's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: tuple[str, ...] = Field(
        ("bertline",), min_length=1, description="accepted audiences: a token's aud must contain one of them"
    )
    audience_claim: Literal["aud", "client_id"] = Field(
        "aud", description="claim with the audience; client_id for tokens without aud, such as Amazon Cognito's"
    )
    token_types: tuple[str, ...] = Field(
        ("at+jwt",), min_length=1, description="accepted typ of tokens: at+jwt (RFC 9068), JWT, or absent for none"
    )
    scope_claims: tuple[str, ...] = Field(
        ("scope", "scp"),
        min_length=1,
        description="claims with the scopes, such as roles or realm_access.roles; the first one present counts",
    )
    scope_prefix: str = Field("", description="prefix of each scope in a provider's tokens, such as bertline: or api/")
    client_claims: tuple[str, ...] = Field(
        ("client_id", "azp", "appid", "cid", "sub"),
        min_length=1,
        description="claims with the client's name for limits and logs; the first one present counts",
    )
    clock_skew_s: float = Field(60, ge=0, le=300, description="tolerated clock difference")

    @field_validator("audience", "token_types", "scope_claims", "client_claims", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("audience", "token_types", "scope_claims", "client_claims")
    @classmethod
    def _reject_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(value):
            raise ValueError("An item is empty: fill it in, or remove it.")
        return value


class AuthSettings(TokenTerms):
    """Without any setting there is no authentication, and the service listens on loopback only.

    ``issuers`` are identity providers; ``database`` has this service's own clients and API keys (``bertline auth``).
    Both may be set.
    """

    issuers: tuple[str, ...] = Field((), description="URLs of identity providers whose access tokens are accepted")
    terms: dict[str, TokenTerms] = Field(
        default_factory=dict, description="overrides for single issuers, by URL; in bertline.toml only"
    )
    database: str | None = Field(
        None, description="URL of the database of clients and API keys, such as sqlite:///auth.db or postgresql://…"
    )
    issuer: str | None = Field(
        None, description="URL of this server for its clients, used as the issuer of its own tokens (needs a database)"
    )

    @model_validator(mode="after")
    def _check_terms(self) -> Self:
        for url in self.terms:
            if url not in self.issuers:
                raise ValueError(f"terms has {url}, but issuers does not: write both exactly like the provider's iss")
        return self

    def of(self, issuer: str) -> TokenTerms:
        """The terms of an issuer: its overrides on top of the general terms.

        >>> url = "https://login.example"
        >>> auth = AuthSettings(issuers=(url,), scope_prefix="api:", terms={url: TokenTerms(token_types=("JWT",))})
        >>> auth.of(url).token_types, auth.of(url).scope_prefix, auth.of("https://other.example").token_types
        (('JWT',), 'api:', ('at+jwt',))
        """
        general = {name: getattr(self, name) for name in TokenTerms.model_fields}
        own = self.terms.get(issuer)
        return TokenTerms(**general | (own.model_dump(exclude_unset=True) if own else {}))

    @property
    def configured(self) -> bool:
        """Whether authentication is on."""
        return bool(self.issuers or self.database)
