"""Requests and responses of Text Embeddings Inference (TEI 1.9, ``router/src/http/types.rs``).

Unknown fields are ignored, as by TEI, and named in a response header. An invalid field gets one sentence instead of one
per accepted type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from bertline.service.routes.fields import Tolerant
from bertline.serving.problems import Code, Problem
from bertline.text import Policy

ErrorType = Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]
POLICIES: Mapping[str, Policy] = {"right": "head", "left": "tail"}  # the side that TEI cuts, and the policy


def must_be(expected: str, at: str = "") -> WrapValidator:
    """One message for a field of the wrong type; ``at`` is its place in the body, as in "parameters."."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return validate(value)
        except ValidationError:
            # Not a ValueError, so pydantic does not catch it.
            field = f"{at}{info.field_name}"
            raise Problem(Code.WRONG_TYPE, f"{field} must be {expected}.", field) from None

    return WrapValidator(check)


Flag = Annotated[bool, must_be("true or false")]
OptionalFlag = Annotated[bool | None, must_be("true, false or null")]
TokenId = Annotated[int, Field(ge=0, lt=2**32)]
# fail_fast: a million invalid entries would create as many errors, of which one is returned.
Ids = Annotated[list[TokenId], Field(fail_fast=True)]
Strings = Annotated[list[str], Field(fail_fast=True)]
Input = Annotated[
    str | Ids | Annotated[list[str | Ids], Field(fail_fast=True)],
    must_be("a text, a list of texts, the token ids of a text, or a list of those"),
]
Direction = Annotated[Literal["Left", "Right", "left", "right"] | None, must_be('"left" or "right"')]


class Lenient(Tolerant):
    """Part of a TEI request: types are checked, and unknown fields are ignored."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            for name, field in cls.model_fields.items():
                if field.is_required() and name not in content:
                    raise Problem(Code.MISSING_FIELD, f"{name} is missing: send it.", name)
        return content


class Cut(Lenient):
    """The truncation of a text that is too long."""

    truncate: OptionalFlag = Field(None, description="false: a text that is too long is an error. Otherwise it is cut.")
    truncation_direction: Direction = Field(
        None, description="right: read the head; left: read the tail; default: as in training."
    )

    @property
    def policy(self) -> Policy | None:
        """The truncation policy; None is the bundle's own."""
        if self.truncate is False:
            return "error"
        return None if self.truncation_direction is None else POLICIES[self.truncation_direction.lower()]


class Prompted(Cut):
    """Requests that may name a prompt of ``sentence-transformers``."""

    prompt_name: Annotated[str | None, must_be("a string or null")] = Field(
        None, description="The models have no prompts, so any name is rejected."
    )


class TeiPredictRequest(Cut):
    """Texts to classify."""

    inputs: Annotated[
        str | Strings | Annotated[list[Strings], Field(fail_fast=True)],
        must_be("a text, or a list of texts each in a list"),
    ] = Field(
        description='A text, a pair (["a", "b"]) if the model reads pairs, or a batch of either: [["a"], ["b", "c"]].',
        examples=["A quiet film that stays with you for days.", [["A quiet film."], ["A loud one."]]],
    )
    raw_scores: Flag = Field(False, description="Logits instead of probabilities.")


class TeiEmbedAllRequest(Prompted):
    """Texts whose tokens are embedded."""

    inputs: Input = Field(
        description="Texts or token ids.", examples=["A quiet film.", ["A quiet film.", "A loud one."]]
    )


class TeiEmbedRequest(TeiEmbedAllRequest):
    """Texts to embed."""

    normalize: OptionalFlag = Field(True, description="Normalise embeddings to length 1.")
    dimensions: int | None = Field(None, ge=1, description="Number of leading dimensions; default: all.")


class TeiSentences(Lenient):
    """A sentence, and the sentences to compare it with."""

    at: ClassVar[str] = "inputs."

    source_sentence: Annotated[str, must_be("a string")] = Field(examples=["A quiet film."])
    sentences: Annotated[Strings, must_be("a list of strings")] = Field(examples=[["A loud film.", "A calm one."]])


class TeiSimilarityParameters(Prompted):
    """The parameters of a comparison."""

    at: ClassVar[str] = "parameters."


class TeiSimilarityRequest(Lenient):
    """Sentences to compare."""

    inputs: TeiSentences
    parameters: TeiSimilarityParameters | None = None


class TeiRerankRequest(Cut):
    """A query, and texts to order."""

    query: Annotated[str, must_be("a string")] = Field(examples=["Which river flows through Prague?"])
    texts: Annotated[Strings, must_be("a list of strings")] = Field(
        examples=[["The Vltava is the longest river in the country.", "Prague has a castle."]]
    )
    raw_scores: Flag = Field(False, description="Logits instead of their sigmoid.")
    return_text: Flag = Field(False, description="Return the texts too.")


class TeiTokenizeRequest(Lenient):
    """Texts to take apart."""

    inputs: Annotated[str | Strings, must_be("a text or a list of texts")] = Field(examples=["A quiet film."])
    add_special_tokens: Flag = True
    prompt_name: Annotated[str | None, must_be("a string or null")] = None


class TeiDecodeRequest(Lenient):
    """Token ids to put together."""

    ids: Annotated[
        Ids | Annotated[list[Ids], Field(fail_fast=True)], must_be("a list of token ids, or a list of such lists")
    ]
    skip_special_tokens: Flag = True


class TeiScore(BaseModel):
    """A label and its score."""

    score: float
    label: str


class TeiRank(BaseModel):
    """A text, by its place in the request."""

    index: int
    score: float
    text: str | None = Field(None, description="Absent unless return_text is true.")


class TeiToken(BaseModel):
    """A token with the characters it stands for; null for one that stands for none."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class TeiClassifier(BaseModel):
    """The labels of a model, by their number as a string, and the other way round."""

    id2label: dict[str, str]
    label2id: dict[str, int]


class TeiEmbedding(BaseModel):
    """How token states become an embedding."""

    pooling: str


class TeiInfo(BaseModel):
    """The model, and the limits of a request."""

    model_id: str
    model_sha: str | None = Field(description="The version: the same for the same bytes in every file of the bundle.")
    model_dtype: str = Field(description="The engine that computes it.")
    served_model_name: str
    model_type: dict[Literal["classifier", "reranker", "embedding"], TeiClassifier | TeiEmbedding]
    max_concurrent_requests: int = Field(description="Connections that the system lets the process hold.")
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None = None
    max_client_batch_size: int
    auto_truncate: bool = True
    tokenization_workers: int
    version: str
    sha: str | None = None
    docker_label: str | None = None


class TeiError(BaseModel):
    """The body of an answer that is not a success."""

    error: str
    error_type: ErrorType
