"""The settings of the limits."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

MOST_PER_MINUTE = 10**8  # 6e7 µs times this is exact in the doubles of the Redis script
MOST_PER_DAY = 10**15


class ClientLimits(BaseModel):
    """The limits of one client. None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int | None = Field(
        None, ge=1, le=MOST_PER_MINUTE, description="requests per client and minute; a burst of all at once is allowed"
    )
    tokens_per_minute: int | None = Field(None, ge=1, le=MOST_PER_MINUTE, description="tokens per client and minute")
    requests_per_day: int | None = Field(
        None, ge=1, le=MOST_PER_DAY, description="requests per client and day, from midnight UTC"
    )
    tokens_per_day: int | None = Field(
        None, ge=1, le=MOST_PER_DAY, description="tokens per client and day, from midnight UTC"
    )
    concurrent_requests: int | None = Field(None, ge=1, description="concurrent requests per client, in each server")

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return any(getattr(self, name) is not None for name in ClientLimits.model_fields)


class LimitSettings(ClientLimits):
    """The limits of all clients, overrides by name, and the store. No limits by default: they depend on the machine."""

    clients: dict[str, ClientLimits] = Field(
        default_factory=dict, description="overrides for single clients, by name; in bertline.toml only"
    )
    store_url: SecretStr | None = Field(
        None,
        description="shared store of the counts for several servers or across restarts: redis://…, postgresql://… or "
        "sqlite:///FILE; default: the process's own memory",
    )
    on_outage: Literal["refuse", "allow"] = Field(
        "refuse",
        description="when the store does not answer: refuse with 503 to enforce quotas, or allow without counting",
    )

    def of(self, client: str) -> ClientLimits:
        """The limits of a client: its overrides on top of the general ones.

        >>> settings = LimitSettings(requests_per_day=9, clients={"ann": ClientLimits(tokens_per_day=70)})
        >>> settings.of("ann").requests_per_day, settings.of("ann").tokens_per_day, settings.of("bob").tokens_per_day
        (9, 70, None)
        """
        general = {name: getattr(self, name) for name in ClientLimits.model_fields}
        own = self.clients.get(client)
        return ClientLimits(**general | (own.model_dump(exclude_none=True) if own else {}))

    @property
    def limits_any_client(self) -> bool:
        """Whether there is any limit for any client."""
        return self.is_limited or any(one.is_limited for one in self.clients.values())
