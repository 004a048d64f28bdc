"""The settings of the service, and why each default is what it is."""

from pydantic import BaseModel, ConfigDict, Field


class ServeSettings(BaseModel):
    """Where the service listens and how much it takes at once.

    The limits bound what one request can cost: its memory by ``max_body_bytes``, its time on the one
    inference thread by the two others. The longest film review in the IMDB data has 13,704 characters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; 0.0.0.0 is every network of this machine",
    )
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    max_batch_texts: int = Field(128, ge=1, description="most texts in one request")
    max_chars: int = Field(50_000, ge=1, description="most characters of one text")
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="most bytes of the body of one request")
    shutdown_timeout_s: int = Field(30, ge=1, description="seconds that requests in progress get when stopping")
