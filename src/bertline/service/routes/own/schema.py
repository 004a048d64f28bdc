"""What goes over the wire in the service's own API: requests and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bertline.service.routes.pairs import Pair, input_of
from bertline.serving.answered import Answered
from bertline.serving.problems import Code, Problem
from bertline.serving.version import Version
from bertline.text import Input, Policy

Probability = Annotated[float, Field(ge=0, le=1)]


class Texts(BaseModel):
    """One text in ``text`` or several in ``texts``, and the model that shall read them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
            "examples": [{"text": "A quiet film that stays with you for days."}],
        },
    )

    text: str | None = Field(None, description="One text. Either this or texts.")
    # fail_fast: two million wrong entries would make as many complaints, of which one is told
    texts: Annotated[list[str], Field(fail_fast=True)] | None = Field(
        None, description="Several texts, answered in their order."
    )
    model: str | None = Field(None, description="Name of the model; needed only where several are served.")

    def named_texts(self) -> tuple[str, list[str]]:
        """The texts, and which field they came in.

        Raises:
            Problem: none or both of the fields.
        """
        if self.text is not None and self.texts is not None:
            raise Problem(Code.CONFLICTING_FIELDS, "Send either text or texts, not both.", "texts")
        if self.texts is not None:
            return "texts", self.texts
        if self.text is None:
            raise Problem(Code.MISSING_FIELD, "Send one text in text, or several in texts.", "text")
        return "text", [self.text]


def _each_is_one(value: Any) -> Any:
    """Refuse an entry that is neither a text nor a pair, in one sentence."""
    for place, one in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(one, str) and not _is_pair(one):
            field = f"texts[{place}]"
            told = f'{field} must be a text, or a pair as in {{"text": "…", "text_pair": "…"}}.'
            raise Problem(Code.WRONG_TYPE, told, field)
    return value


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"text", "text_pair"}
        and all(isinstance(text, str) for text in value.values())
    )


class PredictRequest(Texts):
    """Texts or pairs to answer."""

    text_pair: str | None = Field(None, description="A second text, which is read together with text.")
    texts: Annotated[list[str | Pair], BeforeValidator(_each_is_one)] | None = Field(  # type: ignore[assignment]
        None, description="Several texts or pairs, answered in their order."
    )
    top_k: int | None = Field(
        None, ge=1, description="How many labels to list per text, of a model that ranks them; all without it."
    )
    truncation: Policy | None = Field(
        None,
        description="What to read of a text that is too long: its head and tail, one of them, all of it in windows, "
        "or nothing, which is an error; without it, the model's own choice.",
    )

    def named_inputs(self) -> tuple[str, list[Input]]:
        """The texts and pairs, and which field they came in.

        Raises:
            Problem: as ``named_texts``, or a second text without a first one.
        """
        if self.text_pair is not None and self.text is None:
            raise Problem(
                Code.CONFLICTING_FIELDS if self.texts is not None else Code.MISSING_FIELD,
                "text_pair goes with text: send both, or pairs in texts.",
                "text_pair",
            )
        field, texts = self.named_texts()
        if self.text_pair is not None:
            return field, [(texts[0], self.text_pair)]
        return field, [input_of(one) for one in texts]

    def top(self, version: Version) -> dict[str, int]:
        """``top_k``, if it was given, as the model's answers take it.

        Raises:
            Problem: they rank no labels.
        """
        if self.top_k is None:
            return {}
        if not version.spec.ranked:
            raise Problem(Code.UNSUPPORTED, f"{version.name} does not rank labels: leave top_k out.", "top_k")
        return {"top_k": self.top_k}


class TokenizeRequest(Texts):
    """Texts to take apart."""


class LoadRequest(BaseModel):
    """A bundle to put in service."""

    model_config = ConfigDict(extra="forbid", strict=True)

    bundle: str = Field(min_length=1, description="Its directory on the machine that serves.")


class ModelReference(BaseModel):
    """Which model answered."""

    name: str
    version: str = Field(description="The same for the same bytes in every file of the bundle.")


class LabelProbability(BaseModel):
    """One label and how probable it is."""

    label: str
    probability: Probability = Field(description="Calibrated: of answers given at 0.8, about 80 % are right.")


class TextAnswer(BaseModel):
    """What every answer has."""

    read_tokens: int = Field(description="Tokens that the model read, [CLS] and [SEP] included.")
    cut_tokens: int = Field(description="Tokens left out because the text was too long; 0 if none.")
    windows: int | None = Field(None, description="Windows in which a long text was read. Absent where there is one.")


class TextLabels(TextAnswer):
    """The labels of one text."""

    label: str = Field(description="The most probable label.")
    labels: list[str] | None = Field(
        None, description="Where a text may have several: those whose probability reaches their threshold."
    )
    probabilities: list[LabelProbability] = Field(description="Most probable first; top_k of them if given.")


class TextNumber(TextAnswer):
    """The number of one text."""

    number: float


class TextEntity(BaseModel):
    """An entity."""

    start: int = Field(description="Its first character, counted from 0 in the raw text, in code points.")
    end: int = Field(description="The character after its last one.")
    label: str = Field(description="Its type.")
    text: str = Field(description="Its characters.")
    score: Probability = Field(description="Mean over its words of the probability of this type.")


class TextEntities(TextAnswer):
    """The entities of one text, in their order."""

    entities: list[TextEntity]


Prediction = TextLabels | TextNumber | TextEntities


def predictions_of(answered: Answered, top: Mapping[str, int]) -> list[dict[str, object]]:
    """The wire form of the answers, text by text.

    Args:
        answered: with the output that the model's answers are made from.
        top: of ``PredictRequest.top``.
    """
    predictions: list[dict[str, object]] = []
    for answer, reading in zip(answered.answers, answered.readings, strict=True):
        windows = {"windows": len(reading.pieces)} if len(reading.pieces) > 1 else {}
        predictions.append(answer.to_json(**top) | windows)
    return predictions


class PredictResponse(BaseModel):
    """The answers, in the order of the texts."""

    model: ModelReference
    predictions: list[Prediction] | list[dict[str, Any]] = Field(description="As the task of the model has them.")


class Token(BaseModel):
    """A token, and the characters it stands for, from start up to end."""

    id: int
    token: str
    start: int
    end: int


class TextTokens(BaseModel):
    """The tokens of one text, without [CLS] and [SEP]."""

    tokens: list[Token]
    read_tokens: int = Field(description="Tokens that the model would read, [CLS] and [SEP] included.")
    cut_tokens: int = Field(description="Tokens that it would leave out.")


class TokenizeResponse(BaseModel):
    """The tokens, in the order of the texts."""

    model: ModelReference
    texts: list[TextTokens]


class MeasuredFigure(BaseModel):
    """A figure measured on held-out text, with its 95 % interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


class ModelDescription(BaseModel):
    """A model that answers here."""

    name: str
    version: str
    task: Mapping[str, Any] = Field(description="What it does, as its bundle says.")
    labels: list[str]
    multi_label: bool = Field(description="A text may have several of the labels.")
    max_tokens: int = Field(description="Most tokens it reads of a text, [CLS] and [SEP] included.")
    truncation: str = Field(description="What it reads of a text that is too long.")
    engine: str = Field(description="What computes it.")
    ready: bool = Field(description="The process that computes it lives.")
    metrics: Mapping[str, MeasuredFigure] = Field(description="As measured when it was trained, by name.")


class Limits(BaseModel):
    """What one request may bring."""

    max_batch_texts: int
    max_chars: int = Field(description="Characters of one text.")
    max_request_tokens: int = Field(description="Tokens of all texts, windows counted each.")
    max_body_bytes: int


class OpenAIModel(BaseModel):
    """A model, as OpenAI's clients list them."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelsResponse(BaseModel):
    """The models, the default one first, and the limits of a request."""

    models: Sequence[ModelDescription]
    limits: Limits
    object: Literal["list"] = "list"
    data: Sequence[OpenAIModel] = Field(description="The same models, as OpenAI's clients expect them.")


class ModelState(BaseModel):
    """The version of a model that answers, and the one that a rollback brings back."""

    current: ModelDescription
    previous: ModelDescription | None


class Health(BaseModel):
    """The state that was asked for, and that it holds."""

    status: str
