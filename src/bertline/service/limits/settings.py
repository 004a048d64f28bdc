"""The settings of the limits, and why each default is what it is."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

MOST_PER_MINUTE = 10**8  # up to which Redis' script computes exactly: it has doubles, and 6e7 µs times this fits
MOST_PER_DAY = 10**15


class ClientLimits(BaseModel):
    """How much one client may ask. None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int | None = Field(
        None,
        ge=1,
        le=MOST_PER_MINUTE,
        description="requests per client and minute; a burst of all at once is allowed",
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
    def limited(self) -> bool:
        """Whether there is any limit."""
        return any(getattr(self, name) is not None for name in ClientLimits.model_fields)


class LimitSettings(ClientLimits):
    """What holds for each client, what holds for some by name, and where it is counted.

    Nothing is limited unless it is set: what is fair depends on the machine and on who its clients are.
    """

    clients: dict[str, ClientLimits] = Field(
        default_factory=dict,
        description="overrides for single clients, by name; in bertline.toml only",
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
        """What holds for a client: its own limits, and the general ones where it has none.

        >>> settings = LimitSettings(requests_per_day=9, clients={"ann": ClientLimits(tokens_per_day=70)})
        >>> settings.of("ann").requests_per_day, settings.of("ann").tokens_per_day, settings.of("bob").tokens_per_day
        (9, 70, None)
        """
        general = {name: getattr(self, name) for name in ClientLimits.model_fields}
        own = self.clients.get(client)
        return ClientLimits(**general | (own.model_dump(exclude_none=True) if own else {}))

    @property
    def limits_anybody(self) -> bool:
        """Whether there is any limit for any client."""
        return self.limited or any(one.limited for one in self.clients.values())
