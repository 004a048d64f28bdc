"""The settings of the service, and why each default is what it is."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ServeSettings(BaseModel):
    """Where the service listens, how much it takes at once, and how long anything may take.

    One request can cost memory (bounded by ``max_body_bytes``) and time of the machine (by the number of texts, their
    characters and, for windows over long ones, ``max_request_tokens``). The longest film review in the IMDB data has
    13,704 characters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; 0.0.0.0 is every network of this machine",
    )
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    insecure: bool = Field(False, description="listen on other addresses without asking for credentials")
    engine: str | None = Field(None, description="engine of the bundles to use; else each bundle's first that works")
    require_signed_by: tuple[Path, ...] = Field(
        (), description="files of public keys: a bundle is served only if one of them signed it"
    )
    lanes: int | None = Field(None, ge=1, description="batches computed at a time; else one per core")

    max_batch_texts: int = Field(128, ge=1, description="most texts in one request")
    max_chars: int = Field(50_000, ge=1, description="most characters of one text")
    max_request_tokens: int = Field(131_072, ge=16, description="most tokens that one request may have computed")
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="most bytes of the body of one request")

    max_head_bytes: int = Field(
        32_768, ge=1024, description="most bytes of a request's first line and headers; also of a body's trailers"
    )
    max_header_bytes: int = Field(16_384, ge=256, description="most bytes of one header")
    max_headers: int = Field(100, ge=10, description="most headers of one request")
    max_target_bytes: int = Field(8_192, ge=256, description="most bytes of a path with its query")

    max_wait_ms: float = Field(
        1_000, gt=0, description="a request that would wait longer for the model is refused (429)"
    )
    request_timeout_ms: float = Field(
        30_000, gt=0, description="time for an answer, where the client names none in X-Request-Timeout-Ms"
    )
    body_timeout_s: float = Field(
        20, gt=0, description="time for a request's head, and between parts of its body, three times it in all"
    )
    idle_timeout_s: int = Field(30, ge=1, description="time after which a connection that asks nothing is closed")
    worker_timeout_s: float = Field(
        15, gt=0, description="most time for a batch; its process is replaced then, or once it takes far too long"
    )
    drain_s: float = Field(
        1.0, ge=0, description="when stopping: time in which readiness is red and requests are still accepted"
    )
    shutdown_timeout_s: int = Field(30, ge=1, description="when stopping: time for the requests in progress after that")
