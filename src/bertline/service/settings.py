"""The settings of the service: address, limits and timeouts."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from bertline.serving.serving import Serving

ENDING_S = 4.0  # of stopping, besides the settings: 2.5 s for workers and predictions at once, 1.5 s for spans


class ServeSettings(BaseModel):
    """Address, limits of a request, and timeouts.

    ``max_body_bytes`` bounds the memory of a request; the limits of texts, characters and tokens bound its computing
    time. The longest film review in the IMDB data has 13,704 characters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; 0.0.0.0 is every interface",
    )
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    insecure: bool = Field(False, description="allow other addresses without authentication")
    engine: str | None = Field(
        None,
        description="engine to use, or NAME=ENGINE of single models, separated by commas; default: each bundle's first "
        "that passes its probes",
    )
    require_signed_by: tuple[Path, ...] = Field(
        (), description="public key file; may be repeated; only bundles signed by one of them are served"
    )
    lanes: int | None = Field(None, ge=1, description="batches computed at a time; default: one per core")
    follow_every_s: float = Field(
        2.0, gt=0, le=30, description="seconds between two looks at the alias of a model of the registry"
    )

    nearest_texts: bool = Field(
        False,
        description="let explanations show the nearest labelled rows that a bundle carries, with texts",
    )

    cost_per_hour: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="price of this server per hour, for the metrics of cost"
    )

    max_batch_texts: int = Field(128, ge=1, description="maximum number of texts per request")
    max_chars: int = Field(50_000, ge=1, description="maximum number of characters per text")
    max_request_tokens: int = Field(131_072, ge=16, description="maximum number of tokens computed per request")
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="maximum size of a request's body in bytes")

    max_head_bytes: int = Field(
        32_768,
        ge=1024,
        description="maximum size in bytes of the request line and headers, and of a body's trailers",
    )
    max_header_bytes: int = Field(16_384, ge=256, description="maximum size of one header in bytes")
    max_headers: int = Field(100, ge=10, description="maximum number of headers per request")
    max_target_bytes: int = Field(8_192, ge=256, description="maximum size in bytes of a path with its query")

    max_wait_ms: float = Field(1_000, gt=0, description="requests that would wait longer for the model get a 429")
    request_timeout_ms: float = Field(
        30_000, gt=0, description="time limit for an answer, unless the client sends X-Request-Timeout-Ms"
    )
    body_timeout_s: float = Field(
        20,
        gt=0,
        description="time limit for a request's head and each chunk of its body; three times as long for the whole",
    )
    idle_timeout_s: int = Field(
        130,
        ge=1,
        description="idle connections are closed after this time; must exceed the proxy's idle timeout",
    )
    worker_timeout_s: float = Field(
        15,
        gt=0,
        description="time limit for a batch; a hanging worker is usually replaced earlier",
    )
    drain_s: float = Field(5.0, ge=0, description="when stopping: time to accept requests after readiness fails")
    shutdown_timeout_s: int = Field(15, ge=1, description="when stopping: time limit for requests after draining")
    stop_grace_s: float = Field(
        30,
        gt=0,
        description="time between SIGTERM and kill by the supervisor; draining and shutdown must fit into it",
    )

    @model_validator(mode="after")
    def _stops_in_time(self) -> Self:
        takes_s = self.drain_s + self.shutdown_timeout_s + ENDING_S
        if takes_s > self.stop_grace_s:
            raise ValueError(
                f"stopping takes up to {takes_s:g} s (drain_s {self.drain_s:g}, shutdown_timeout_s "
                f"{self.shutdown_timeout_s}, and {ENDING_S:g} to end), but the server is killed after stop_grace_s, "
                f"{self.stop_grace_s:g} s: lower one of the two, or raise stop_grace_s together with the "
                "supervisor's own setting, such as terminationGracePeriodSeconds"
            )
        return self


def settings_of(serving: "Serving") -> ServeSettings:
    """The settings of the server; its core has them as ``CoreSettings``."""
    assert isinstance(serving.settings, ServeSettings)
    return serving.settings
