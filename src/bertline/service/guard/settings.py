"""The settings of the guard: whose credentials are taken."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AuthSettings(BaseModel):
    """Nothing set: no authentication, and the service listens on this machine alone.

    ``issuers`` are identity providers; ``database`` has this service's own clients and API keys
    (``bertline auth``). Both may be set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuers: tuple[str, ...] = Field((), description="URLs of identity providers whose access tokens are taken")
    audience: str = Field("bertline", min_length=1, description="what aud of an access token has to name")
    scope_prefix: str = Field("", description="before each scope in a provider's tokens, as in bertline: or api/")
    token_types: tuple[str, ...] = Field(
        ("at+jwt",), description="typ of access tokens (RFC 9068); some providers still write JWT"
    )
    clock_skew_s: float = Field(60, ge=0, le=300, description="by which clocks may differ")
    database: str | None = Field(
        None, description="URL of the database of clients and API keys, as in sqlite:///auth.db or postgresql://…"
    )
    issuer: str | None = Field(
        None, description="URL by which clients reach this server: the issuer of its own tokens (needs a database)"
    )

    @property
    def configured(self) -> bool:
        """Somebody's credentials are taken."""
        return bool(self.issuers or self.database)
