"""What goes over the wire in the service's own API: requests, answers, and the check of the texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bertline.inference.predictor import Prediction
from bertline.service.problems import Code, Problem
from bertline.service.settings import ServeSettings

Probability = Annotated[float, Field(ge=0, le=1)]


class PredictRequest(BaseModel):
    """One text in ``text`` or several in ``texts``."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
            "examples": [{"text": "A quiet film that stays with you for days."}],
        },
    )

    text: str | None = Field(None, description="One text. Either this or texts.")
    texts: list[str] | None = Field(None, description="Several texts, answered in their order.")
    model: str | None = Field(None, description="Name of the model; needed only where several are served.")
    top_k: int | None = Field(None, ge=1, description="How many labels to list per text; all without it.")

    def checked_texts(self, settings: ServeSettings) -> list[str]:
        """The texts of the request.

        Raises:
            Problem: none or both of the fields, too many texts, or one is empty, too long or not Unicode.
        """
        if self.text is not None and self.texts is not None:
            raise Problem(Code.CONFLICTING_FIELDS, "Send either text or texts, not both.", "texts")
        if self.texts is None:
            if self.text is None:
                raise Problem(Code.MISSING_FIELD, "Send one text in text, or several in texts.", "text")
            _check(self.text, "text", settings.max_chars)
            return [self.text]
        if not self.texts:
            raise Problem(Code.EMPTY_TEXT, "texts is an empty list: send at least one text.", "texts")
        if len(self.texts) > settings.max_batch_texts:
            raise Problem(
                Code.TOO_MANY_TEXTS,
                f"texts has {len(self.texts):,} texts and the limit is {settings.max_batch_texts:,}: "
                "send them in several requests.",
                "texts",
            )
        for index, text in enumerate(self.texts):
            _check(text, f"texts[{index}]", settings.max_chars)
        return self.texts


def _check(text: str, field: str, max_chars: int) -> None:
    if not text.strip():
        kind = "only white space" if text else "empty"
        raise Problem(Code.EMPTY_TEXT, f"{field} is {kind}: send at least one word.", field)
    if len(text) > max_chars:
        raise Problem(
            Code.TEXT_TOO_LONG,
            f"{field} has {len(text):,} characters and the limit is {max_chars:,}: send a part of it.",
            field,
        )
    # JSON can escape half of a surrogate pair, as when a text is cut in the middle of an emoji.
    half = next((place for place, char in enumerate(text) if "\ud800" <= char <= "\udfff"), None)
    if half is not None:
        raise Problem(
            Code.INVALID_TEXT,
            f"{field} has half a surrogate pair at character {half}: send whole characters.",
            field,
        )


class ModelReference(BaseModel):
    """Which model answered."""

    name: str
    version: str = Field(description="The same for the same bytes in every file of the bundle.")


class LabelProbability(BaseModel):
    """One label and how probable it is."""

    label: str
    probability: Probability = Field(description="Calibrated: of answers given at 0.8, about 80 % are right.")


class TextPrediction(BaseModel):
    """The answer for one text."""

    label: str = Field(description="The most probable label.")
    probabilities: list[LabelProbability] = Field(description="Most probable first; top_k of them if given.")
    read_tokens: int = Field(description="Tokens that the model read, [CLS] and [SEP] included.")
    cut_tokens: int = Field(description="Tokens left out because the text was too long; 0 if none.")

    @classmethod
    def of(cls, prediction: Prediction, top_k: int | None) -> TextPrediction:
        """The wire form of a prediction."""
        listed = prediction.top(top_k or len(prediction.probabilities))
        return cls(
            label=prediction.label,
            probabilities=[LabelProbability(label=label, probability=share) for label, share in listed],
            read_tokens=prediction.read_tokens,
            cut_tokens=prediction.cut_tokens,
        )


class PredictResponse(BaseModel):
    """The answers, in the order of the texts."""

    model: ModelReference
    predictions: list[TextPrediction]


class MeasuredFigure(BaseModel):
    """A figure measured on held-out text, with its 95 % interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


class ModelDescription(BaseModel):
    """A model that answers here."""

    name: str
    version: str
    labels: list[str]
    max_tokens: int = Field(description="Most tokens it reads of a text, [CLS] and [SEP] included.")
    metrics: Mapping[str, MeasuredFigure] = Field(description="As measured when it was trained, by name.")


class Limits(BaseModel):
    """What one request may bring."""

    max_batch_texts: int
    max_chars: int = Field(description="Characters of one text.")
    max_body_bytes: int


class ModelsResponse(BaseModel):
    """The models, the default one first, and the limits of a request."""

    models: list[ModelDescription]
    limits: Limits


class Health(BaseModel):
    """The state that was asked for, and that it holds."""

    status: str
